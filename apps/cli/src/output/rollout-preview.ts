import type { RolloutPreview } from '@espalier/protocol';
import { bytes, duration, percent, some } from './figures.js';
import { table, type Terminal } from './terminal.js';

const MISFITS_SHOWN = 20;

/** A preview, for people. */
export function previewText(preview: RolloutPreview, terminal: Terminal): string {
  const { devices, controls, deviceSeconds, expectedAccuracy, misfits } = preview;
  const measured =
    deviceSeconds === null
      ? 'no device was timed yet, so only soak and rate count'
      : `a device took ${duration(deviceSeconds)} in the median`;
  return [
    `${some(devices, 'device')}, ${controls} of them held back; ${bytes(preview.bytes)}; at least ${duration(preview.seconds)} (${measured})`,
    expectedAccuracy === null
      ? 'expected accuracy: not measured for every variant'
      : `expected accuracy: ${percent(expectedAccuracy.before)} > ${percent(expectedAccuracy.after)}`,
    table(
      terminal,
      ['variant', 'precision', 'devices', 'to send', 'accuracy'],
      preview.variants.map((one) => [
        one.variantId,
        one.precision,
        String(one.devices),
        bytes(one.artifactBytes),
        one.expectedAccuracy === null ? '-' : percent(one.expectedAccuracy),
      ]),
      { right: [2, 3, 4] },
    ),
    table(
      terminal,
      ['stage', 'takes', 'devices', 'to send', 'at least'],
      preview.stages.map((one, at) => [
        String(at + 1),
        one.name,
        String(one.devices),
        bytes(one.bytes),
        duration(one.seconds),
      ]),
      { right: [0, 2, 3, 4] },
    ),
    ...misfits.slice(0, MISFITS_SHOWN).map(({ deviceId, why }) => `left out: ${deviceId}: ${why}`),
    ...(misfits.length > MISFITS_SHOWN
      ? [`and ${misfits.length - MISFITS_SHOWN} more; --json names them all`]
      : []),
  ].join('\n');
}
