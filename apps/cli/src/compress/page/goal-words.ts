import type { CompressionReport } from '@espalier/compression';
import { html, type Markup } from './markup.js';

/** What each goal limits, as a person says it. */
const WORDS: Readonly<Record<string, string>> = {
  'macs-ratio': 'multiply-accumulates, share of the original',
  'max-latency-ms': 'latency on the device, ms',
  'max-ram-kib': 'peak RAM, KiB',
  'max-size-kib': 'file, KiB',
  'max-accuracy-drop': 'accuracy lost, points',
};

/** The goal's row: what was asked, what was reached. */
export function goalRow({
  name,
  target,
  achieved,
  met,
}: CompressionReport['goals'][number]): (string | Markup)[] {
  const reached = Number.isFinite(achieved) ? String(Number(achieved.toPrecision(4))) : 'not known';
  return [WORDS[name] ?? name, `at most ${target}`, reached, verdict(met)];
}

/** Whether a goal was met, in words as well as in colour. */
export const verdict = (met: boolean): Markup =>
  met ? html`<span class="good">met</span>` : html`<span class="bad">not met</span>`;
