import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { seededRandom } from '@espalier/dataset';
import { decodeMessage, unpackTensor, UP_SCHEMAS, type Sampling } from '@espalier/protocol';
import { ShadowSpool } from './shadow-spool.js';
import { Shadowing } from './shadowing.js';

const log = pino({ level: 'silent' });
const running = {
  ...{ generation: 1, releaseId: 'r-1', variantId: 'v-1', modelSha256: 'a'.repeat(64) },
  modelBytes: 1,
};
/** More than is ever ordered. */
const OWNER = 2 ** 40;
const SAMPLING: Sampling = {
  ...{ share: 1, perHour: 3600, bytesPerSample: 4096, bytesPerDay: 2 ** 30 },
};

let directory: string;
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'espalier-shadow-'))));
afterEach(() => rmSync(directory, { recursive: true }));

/** What lies in the spool, oldest first. */
const files = (): string[] =>
  readdirSync(join(directory, 'shadow'))
    .sort()
    .map((name) => join(directory, 'shadow', name));

/** A device with a real spool; its clock is the test's, its link is down. */
function device(bytesPerDay: number | null = OWNER, limits = { entries: 1000, bytes: 2 ** 20 }) {
  const link = { ready: false, sendEncoded: () => undefined };
  let nowMs = 0;
  const shadowing = new Shadowing(
    bytesPerDay,
    new ShadowSpool(directory, link, () => 1, log, limits),
    { steadyMs: () => nowMs, wallMs: () => 1_700_000_000_000 + nowMs, random: seededRandom(1) },
    log,
  );
  const bodies = () =>
    files().map((path) => decodeMessage(readFileSync(path), UP_SCHEMAS.shadow).body);
  /** Feeds one input a second, so that each but the last is a sample. */
  const feed = async (inputs: readonly Float32Array<ArrayBuffer>[]): Promise<void> => {
    for (const data of inputs) {
      nowMs += 1000;
      const keep = shadowing.draw(running);
      await shadowing.settled();
      const output = { predicted: 3, confidence: 1.5 };
      if (keep !== null) shadowing.offer({ dims: [data.length], data, output }, running);
    }
  };
  return { shadowing, bodies, feed };
}

const inputs = (count: number, length = 32) =>
  Array.from({ length: count }, (_, at) =>
    Float32Array.from({ length }, (_value, i) => Math.sin(at * 1000 + i)),
  );

describe('shadow samples of a device', () => {
  it('are the inputs as the model was fed them, with what it said', async () => {
    const { shadowing, bodies, feed } = device();
    shadowing.take({ releaseId: 'r-1', sampling: SAMPLING });
    const fed = inputs(4);
    await feed(fed);
    const sent = bodies();
    expect(sent).toHaveLength(3);
    sent.forEach(({ running: of, input, output }, at) => {
      expect(of).toEqual({ releaseId: 'r-1', variantId: 'v-1', modelSha256: 'a'.repeat(64) });
      expect(output).toEqual({ kind: 'class', predicted: 3, confidence: 1.5 });
      const { encoding, data } = input;
      const bytes = Buffer.from(data, 'base64');
      expect(unpackTensor({ encoding, bytes }, 32)).toEqual(fed[at]);
    });
    expect(shadowing.losses()).toBeUndefined();
  });

  it('are none before the server asks, of another release, without the owner, and on a new connection', async () => {
    const willing = device();
    await willing.feed(inputs(3));
    willing.shadowing.take({ releaseId: 'another', sampling: SAMPLING });
    await willing.feed(inputs(3));
    willing.shadowing.take({ releaseId: 'r-1', sampling: SAMPLING });
    willing.shadowing.forget();
    await willing.feed(inputs(3));
    expect(willing.bodies()).toEqual([]);

    const shut = device(null);
    shut.shadowing.take({ releaseId: 'r-1', sampling: SAMPLING });
    await shut.feed(inputs(3));
    expect(shut.bodies()).toEqual([]);
  });

  it('that wait are forgotten when the server wants none any more, or the owner does not', async () => {
    const first = device();
    first.shadowing.take({ releaseId: 'r-1', sampling: SAMPLING });
    await first.feed(inputs(4));
    expect(first.bodies()).toHaveLength(3);
    device(null);
    expect(files()).toEqual([]);

    const second = device();
    second.shadowing.take({ releaseId: 'r-1', sampling: SAMPLING });
    await second.feed(inputs(4));
    second.shadowing.take({ releaseId: 'r-1', sampling: null });
    expect(files()).toEqual([]);
  });

  it('keep to the bounds of the spool: the oldest go, and are counted', async () => {
    const { shadowing, bodies, feed } = device(OWNER, { entries: 5, bytes: 2 ** 20 });
    shadowing.take({ releaseId: 'r-1', sampling: SAMPLING });
    const fed = inputs(12);
    await feed(fed);
    const firsts = bodies().map(({ input: { encoding, data } }) => {
      const bytes = Buffer.from(data, 'base64');
      return unpackTensor({ encoding, bytes }, 32)[0];
    });
    expect(firsts).toEqual(fed.slice(6, 11).map(([value]) => value));
    expect(shadowing.losses()).toEqual({ tooLarge: 0, overBudget: 0, dropped: 6 });
    expect(shadowing.losses()).toBeUndefined();
  });

  it('keep to the bytes of the spool', async () => {
    const bytes = 4000;
    const { shadowing, feed } = device(OWNER, { entries: 1000, bytes });
    shadowing.take({ releaseId: 'r-1', sampling: SAMPLING });
    await feed(inputs(15, 200));
    const kept = files().map((path) => statSync(path).size);
    expect(kept.length).toBeGreaterThan(0);
    expect(kept.reduce((sum, size) => sum + size, 0)).toBeLessThanOrEqual(bytes);
    expect(kept.length + shadowing.losses()!.dropped).toBe(14);
  });

  it('that are too large, or over the bytes of the day, are counted and not sent', async () => {
    const large = device();
    large.shadowing.take({ releaseId: 'r-1', sampling: { ...SAMPLING, bytesPerSample: 64 } });
    await large.feed(inputs(4, 100));
    expect(large.bodies()).toEqual([]);
    expect(large.shadowing.losses()).toEqual({ tooLarge: 3, overBudget: 0, dropped: 0 });

    const limits = { bytesPerSample: 128, bytesPerDay: 256 };
    large.shadowing.take({ releaseId: 'r-1', sampling: { ...SAMPLING, ...limits } });
    await large.feed(inputs(4, 32));
    expect(large.bodies()).toEqual([]);
    expect(large.shadowing.losses()).toEqual({ tooLarge: 0, overBudget: 3, dropped: 0 });
  });

  it('are no more than the owner lets go in a day, whatever is ordered', async () => {
    const [day, seconds] = [2 ** 17, 1000];
    const bounded = device(day);
    bounded.shadowing.take({ releaseId: 'r-1', sampling: SAMPLING });
    // A sample of 128 bytes a second.
    await bounded.feed(inputs(seconds));
    const sent = bounded
      .bodies()
      .reduce((sum, { input }) => sum + Buffer.from(input.data, 'base64').byteLength, 0);
    expect(sent).toBeGreaterThan(0);
    expect(sent).toBeLessThanOrEqual((day * seconds) / 86_400);
    expect(bounded.shadowing.losses()!.overBudget).toBeGreaterThan(900);

    const large = device(200);
    large.shadowing.take({ releaseId: 'r-1', sampling: SAMPLING });
    await large.feed(inputs(4));
    expect(large.shadowing.losses()).toEqual({ tooLarge: 3, overBudget: 0, dropped: 0 });
  });
});
