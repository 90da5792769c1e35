import type { QueryClient } from '@tanstack/react-query';
import { useEffect, useSyncExternalStore } from 'react';

/** First words of the query keys that an event makes old. */
const MAKES_OLD: Readonly<Record<string, readonly string[]>> = {
  job: ['jobs'],
  device: ['devices'],
  rollout: ['rollouts', 'devices'],
  decision: ['rollouts'],
  alert: ['alerts'],
};
/** A rollout over thousands of devices tells of each; what is shown is renewed this often at most. */
const RENEW_MS = 700;
/** So long after the last scrolling a list is at rest. */
const REST_MS = 250;
/** How often a renewal is put off at most. */
const MOST_PUT_OFF = 5;

let scrolledAt = -Infinity;

/** Says that a long list is being scrolled: renewals are put off, so that no frame waits for them. */
export const noteScrolling = (): void => {
  scrolledAt = performance.now();
};

let connected = true;
const listeners = new Set<() => void>();

function tell(now: boolean): void {
  if (now === connected) return;
  connected = now;
  for (const listener of listeners) listener();
}

/** Renews what is shown when the server tells of a change, and everything after a reconnect. */
export function useLiveUpdates(client: QueryClient): void {
  useEffect(() => {
    const source = new EventSource('/api/v1/events');
    const old = new Set<string>();
    let timer: ReturnType<typeof setTimeout> | null = null;
    let putOff = 0;
    const renew = (): void => {
      if (performance.now() - scrolledAt < REST_MS && putOff < MOST_PUT_OFF) {
        putOff += 1;
        timer = setTimeout(renew, RENEW_MS);
        return;
      }
      timer = null;
      putOff = 0;
      for (const word of old) void client.invalidateQueries({ queryKey: [word] });
      old.clear();
    };
    for (const [type, words] of Object.entries(MAKES_OLD)) {
      source.addEventListener(type, () => {
        for (const word of words) old.add(word);
        timer ??= setTimeout(renew, RENEW_MS);
      });
    }
    source.onopen = () => {
      if (!connected) void client.invalidateQueries();
      tell(true);
    };
    source.onerror = () => tell(false);
    return () => {
      source.close();
      if (timer) clearTimeout(timer);
    };
  }, [client]);
}

/** Whether the server's events arrive now. */
export const useConnected = (): boolean =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => connected,
  );
