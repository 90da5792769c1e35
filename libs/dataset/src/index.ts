export { prepareBatch, type Batch, type Selection } from './batch.js';
export { inputCardSchema, parseCard, type InputCard } from './card.js';
export { openDataset, type Dataset } from './dataset.js';
export { DatasetError, type DatasetErrorCode, readingFile } from './errors.js';
export type { NpyArray, NpyData, NpyDType } from './npy.js';
export { readNpz, writeNpz, type NpzLimits } from './npz.js';
export { seededRandom, type Random } from './random.js';
export { splitDataset, type Split } from './split.js';
