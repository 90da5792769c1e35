import { readFile, readdir } from 'node:fs/promises';

/** A sysfs temperature in thousandths of a degree; null where it is no plausible reading. */
export function parseTemperature(text: string): number | null {
  const degrees = Number(text.trim()) / 1000;
  return text.trim() !== '' && degrees > -60 && degrees < 200 ? degrees : null;
}

/** A cpufreq frequency in kilohertz, as megahertz. */
export function parseFrequency(text: string): number | null {
  const megahertz = Number(text.trim()) / 1000;
  return megahertz > 0 ? megahertz : null;
}

/** The warmest thermal zone, degrees Celsius; null where none can be read. */
export async function readTemperatureC(root = '/sys/class/thermal'): Promise<number | null> {
  const zones = await readdir(root).catch(() => []);
  const readings = await Promise.all(
    zones
      .filter((zone) => zone.startsWith('thermal_zone'))
      .map((zone) => readFile(`${root}/${zone}/temp`, 'utf8').then(parseTemperature, () => null)),
  );
  const known = readings.filter((reading) => reading !== null);
  return known.length > 0 ? Math.max(...known) : null;
}

/** The current frequency of the first processor by cpufreq; null where the kernel has none. */
export function readFrequencyMHz(
  path = '/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq',
): Promise<number | null> {
  return readFile(path, 'utf8').then(parseFrequency, () => null);
}
