import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import pino from 'pino';
import { decodeMessage, reportSchema } from '@espalier/protocol';
import { z } from 'zod';
import { Courier } from './courier.js';
import { Outbox } from './outbox.js';

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'espalier-outbox-'))));
afterEach(() => rmSync(directory, { recursive: true }));

const payload = (size: number) => new Uint8Array(size);
const ids = (outbox: Outbox) => outbox.waiting().map(({ id }) => id);

describe('the outbox', () => {
  it('keeps messages in order over a restart until each is removed', () => {
    const outbox = Outbox.open(directory);
    for (const id of ['m1', 'm2', 'm3']) outbox.add('telemetry', id, payload(10));
    outbox.remove('m2');
    const reopened = Outbox.open(directory);
    expect(ids(reopened)).toEqual(['m1', 'm3']);
    reopened.add('report', 'm4', payload(10));
    expect(ids(Outbox.open(directory))).toEqual(['m1', 'm3', 'm4']);
  });

  it('stays within its bounds, and gives up the oldest telemetry before any report', () => {
    const outbox = Outbox.open(directory, { entries: 3, bytes: 100 });
    outbox.add('report', 'r1', payload(10));
    outbox.add('telemetry', 't1', payload(10));
    outbox.add('telemetry', 't2', payload(10));
    outbox.add('report', 'r2', payload(10));
    expect(ids(outbox)).toEqual(['r1', 't2', 'r2']);
    outbox.add('telemetry', 't3', payload(75));
    expect(ids(outbox)).toEqual(['r1', 'r2', 't3']);
    expect(readdirSync(directory)).toHaveLength(3);
  });

  it('passes over files that it did not write', () => {
    writeFileSync(join(directory, '000000000001.report.m1.tmp'), 'torn');
    expect(ids(Outbox.open(directory))).toEqual([]);
  });
});

describe('the courier', () => {
  it('sends again what is not acknowledged, less and less often, and never more than a window', () => {
    jest.useFakeTimers();
    const sent: string[] = [];
    const link = {
      ready: true,
      sendEncoded: (_: string, bytes: Uint8Array) =>
        sent.push(decodeMessage(bytes, z.unknown()).id),
    };
    const courier = new Courier(Outbox.open(directory), link, pino({ level: 'silent' }));
    for (let at = 0; at < 20; at += 1) courier.post('telemetry', {}, 1);
    expect(sent).toHaveLength(16);
    // The first wait is 5 s, a quarter more or less; the next is twice that.
    jest.advanceTimersByTime(6250);
    expect(sent).toHaveLength(32);
    jest.advanceTimersByTime(4900);
    expect(sent).toHaveLength(32);
    for (const id of sent.slice(0, 16)) courier.acknowledged(id);
    expect(new Set(sent).size).toBe(20);
    for (const id of new Set(sent)) courier.acknowledged(id);
    jest.advanceTimersByTime(600_000);
    expect(readdirSync(directory)).toEqual([]);
    expect(sent.length).toBeLessThanOrEqual(40);
    jest.useRealTimers();
  });

  it('tells the server at once, and again after the next connect, while there was none keeps it', () => {
    let count = 0;
    const link = { ready: false, sendEncoded: () => (count += 1) };
    const courier = new Courier(Outbox.open(directory), link, pino({ level: 'silent' }));
    courier.post('report', reportSchema.shape, 1);
    expect(count).toBe(0);
    link.ready = true;
    courier.resume();
    courier.resume();
    expect(count).toBe(2);
    courier.stop();
  });

  it('says how long a message was held, by a clock that is never set, and after a restart by the other', () => {
    jest.useFakeTimers({ now: 0 });
    const sent: Uint8Array[] = [];
    const link = { ready: false, sendEncoded: (_: string, bytes: Uint8Array) => sent.push(bytes) };
    const log = pino({ level: 'silent' });
    const held = (bytes: Uint8Array | undefined) => decodeMessage(bytes!, z.unknown()).heldMs;
    const courier = new Courier(Outbox.open(directory), link, log);
    courier.post('telemetry', {}, 1);
    jest.advanceTimersByTime(3_600_000);
    // The time of day is set to another year meanwhile.
    jest.setSystemTime(400 * 86_400_000);
    link.ready = true;
    courier.resume();
    expect(held(sent.at(-1))).toBe(3_600_000);
    courier.stop();

    jest.setSystemTime(7_200_000);
    writeFileSync(join(directory, '000000000009.telemetry.torn'), '');
    const restarted = new Courier(Outbox.open(directory), link, log);
    restarted.resume();
    expect(held(sent.at(-1))).toBe(7_200_000);
    restarted.stop();
    expect(readdirSync(directory)).toHaveLength(1);
    jest.useRealTimers();
  });
});
