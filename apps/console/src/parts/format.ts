const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `12.3 MiB`. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit] ?? ''}`;
}

/** `12,345`. */
export const whole = (count: number): string => count.toLocaleString('en-GB');

/** `1 device`, `12,345 devices`. */
export const some = (count: number, what: string): string =>
  `${whole(count)} ${what}${count === 1 ? '' : 's'}`;

/** `12.3 M` for large counts. */
export function short(count: number): string {
  if (count >= 1e9) return `${(count / 1e9).toFixed(2)} G`;
  if (count >= 1e6) return `${(count / 1e6).toFixed(2)} M`;
  if (count >= 1e4) return `${(count / 1e3).toFixed(1)} k`;
  return whole(count);
}

/** A share as `91.2 %`. */
export const percent = (share: number, digits = 1): string => `${(100 * share).toFixed(digits)} %`;

/** A difference of shares as `+1.2 pp`. */
export const points = (difference: number): string =>
  `${difference > 0 ? '+' : ''}${(100 * difference).toFixed(2)} pp`;

/** `0.42 ms`, `12 ms`. */
export const milliseconds = (ms: number): string =>
  `${ms >= 100 ? Math.round(ms) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2)} ms`;

/** `45 s`, `3 min`, `2.5 h`, `4 d`. */
export function duration(seconds: number): string {
  if (seconds > 0 && seconds < 0.5) return '< 1 s';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${(seconds / 3600).toFixed(1).replace(/\.0$/, '')} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** `25 Nov 2026, 21:40:05`. */
export const instant = (iso: string): string =>
  new Date(iso).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' });

/** The time of day, with the day where it is another one than now's. */
export function clock(iso: string, now = new Date()): string {
  const at = new Date(iso);
  const time = at.toLocaleTimeString('en-GB');
  if (at.toDateString() === now.toDateString()) return time;
  return `${at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short' })} ${time}`;
}

/** `just now`, `40 s ago`. */
export function ago(iso: string, now: number): string {
  const seconds = (now - Date.parse(iso)) / 1000;
  return seconds < 5 ? 'just now' : `${duration(seconds)} ago`;
}

/** `a-long-id` in full, a hash by its first twelve. */
export const briefly = (id: string): string => (/^[0-9a-f]{64}$/.test(id) ? id.slice(0, 12) : id);
