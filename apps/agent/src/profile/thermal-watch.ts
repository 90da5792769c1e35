import { readTemperatureC } from './thermal.js';

/** A change of temperature by so much, which stays, means another clock frequency. */
const CHANGE_C = 15;
/** Readings in a row that must agree. */
const READINGS = 3;
const EVERY_MS = 60_000;
const LEAST_APART_MS = 3_600_000;

/** Whether the latest readings say that a device is far from the temperature it was measured at. */
export function hasDrifted(
  measuredAtC: number | null,
  readings: readonly (number | null)[],
): boolean {
  if (measuredAtC === null || readings.length < READINGS) return false;
  return readings
    .slice(-READINGS)
    .every((reading) => reading !== null && Math.abs(reading - measuredAtC) >= CHANGE_C);
}

/** Watches the temperature, and says when the device should be measured again; at most hourly. */
export class ThermalWatch {
  private timer: NodeJS.Timeout | undefined;
  private readings: (number | null)[] = [];
  private lastAt = -Infinity;

  constructor(
    private readonly measuredAtC: () => number | null,
    private readonly changed: () => void,
    private readonly read: () => Promise<number | null> = () => readTemperatureC(),
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.look(performance.now()), EVERY_MS);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Takes one reading. */
  async look(now: number): Promise<void> {
    const reading = await this.read();
    this.readings = [...this.readings, reading].slice(-READINGS);
    if (now - this.lastAt < LEAST_APART_MS) return;
    if (!hasDrifted(this.measuredAtC(), this.readings)) return;
    this.lastAt = now;
    this.readings = [];
    this.changed();
  }
}
