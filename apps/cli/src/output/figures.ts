const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `6,597,856`. */
export const count = (value: number): string => whole.format(value);

/** `1 device`, `2 devices`. */
export const some = (value: number, what: string): string =>
  `${value} ${what}${value === 1 ? '' : 's'}`;

/** Bytes in the unit that leaves one to three digits before the point. */
export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  const [size, unit] = value < 1024 ** 2 ? [value / 1024, 'KiB'] : [value / 1024 ** 2, 'MiB'];
  return `${size < 10 ? size.toFixed(2) : size < 100 ? size.toFixed(1) : size.toFixed(0)} ${unit}`;
}

/** Milliseconds with three significant digits. */
export const milliseconds = (value: number): string =>
  `${value >= 100 ? value.toFixed(0) : value.toPrecision(3)} ms`;

/** A share of 1 as percent. */
export const percent = (value: number, digits = 1): string => `${(100 * value).toFixed(digits)} %`;

/** Seconds as people say them. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.max(0, Math.round(seconds))} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** How long ago an instant was. */
export function ago(instant: string | null, now: number): string {
  return instant === null ? 'never' : `${duration((now - Date.parse(instant)) / 1000)} ago`;
}

/** A difference of two shares of 1 in points of 100, with its sign. */
export const signedPoints = (difference: number): string =>
  `${difference < 0 ? '-' : '+'}${Math.abs(100 * difference).toFixed(2)}`;
