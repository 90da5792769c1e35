// Magnitude pruning on the smallest network that shows it. After `npm run build`:
//   node examples/weight-pruning.mjs [FILE.json]
import { readFileSync } from 'node:fs';
import {
  plainLayerSchema,
  pruneByMagnitude,
  removeDeadNeurons,
} from '../libs/compression/dist/weights/magnitude.js';

const file = process.argv[2] ?? new URL('weight-pruning.json', import.meta.url);
const { threshold, layers } = JSON.parse(readFileSync(file, 'utf8'));
const dense = layers.map((layer) => plainLayerSchema.parse(layer));
const pruned = dense.map((layer) => pruneByMagnitude(layer, threshold));

console.log('at or under the threshold -> 0:', JSON.stringify(pruned));
console.log('neurons without weights gone: ', JSON.stringify(removeDeadNeurons(pruned)));
