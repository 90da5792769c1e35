import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '../../..');

export const EXAMPLE = path.join(root, 'examples/fashion-mobilenetv2.onnx');

const SHARED = [
  'mbv2-cifar10',
  'resnet8-cifar10',
  'dscnn-kws',
  'mobilenetv1-vww',
  'fcae-toycar',
].map((name) => path.resolve(root, '../shared/models', `${name}.onnx`));

/** Real models: the example, and those of ../shared where it is there. */
export function realModels(): { name: string; bytes: Uint8Array }[] {
  const present = SHARED.filter((file) => existsSync(file));
  if (present.length < SHARED.length) {
    process.stderr.write('../shared/models is absent: only the example model is tested.\n');
  }
  return [EXAMPLE, ...present].map((file) => ({
    name: path.basename(file, '.onnx'),
    bytes: readFileSync(file),
  }));
}
