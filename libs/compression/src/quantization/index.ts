export * from './quantize-model.js';
export * from './plan.js';
