import { useSyncExternalStore } from 'react';
import { ago, instant } from './format';

const EVERY_MS = 5_000;

const listeners = new Set<() => void>();
let now = Date.now();
setInterval(() => {
  now = Date.now();
  for (const listener of listeners) listener();
}, EVERY_MS);

/** The time, which moves on every few seconds, for all who show it at once. */
export const useNow = (): number =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => now,
  );

/** How long ago something was; the moment itself on hover. */
export function Ago({ at }: { at: string }) {
  const present = useNow();
  return (
    <time dateTime={at} title={instant(at)}>
      {ago(at, Math.max(present, Date.parse(at)))}
    </time>
  );
}
