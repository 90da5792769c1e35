import { parentPort, workerData } from 'node:worker_threads';
import type { Images } from './images.js';
import { measure, type Asked, type Found, type Part } from './parts.js';

/** What a thread measures. */
export interface Task {
  readonly parts: readonly Part[];
  readonly images: Images;
  readonly asked: Asked;
}

/** What it says: how it goes, and in the end what each part counted. */
export type Said = { readonly note: string } | { readonly found: Found[] };

const say = (said: Said): void => parentPort?.postMessage(said);
const { parts, images, asked } = workerData as Task;
const note = (line: string): void => say({ note: line });
say({ found: parts.map((part) => measure(part, images, asked, note)) });
