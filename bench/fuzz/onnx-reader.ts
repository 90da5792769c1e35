/**
 * A process that reads models: a path a line on stdin, and for each, on stdout, what became of it, in
 * JSON. What the process takes of memory is the library's, and none of the one that spoils the files.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import {
  activationArena,
  countModel,
  foldConstants,
  inferShapes,
  readModel,
  writeModel,
} from '@espalier/onnx';
import { namesExternalData } from '@espalier/onnx/external-data';

for await (const path of createInterface({ input: process.stdin })) {
  const started = process.cpuUsage();
  const code = answerTo(new Uint8Array(readFileSync(path)));
  const { user, system } = process.cpuUsage(started);
  const milliseconds = (user + system) / 1000;
  process.stdout.write(`${JSON.stringify({ code, milliseconds })}\n`);
}

/** Everything that the library does with a model; the code of the refusal, or `accepted`. */
function answerTo(bytes: Uint8Array): string {
  try {
    namesExternalData(bytes);
    const model = readModel(bytes);
    inferShapes(model);
    countModel(model);
    activationArena(model);
    writeModel(foldConstants(model));
    return 'accepted';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    return /^ONNX_[A-Z_]+$/.test(code) ? code : `UNCODED ${String((error as Error).stack)}`;
  }
}
