export * from './bitmap.js';
export * from './errors.js';
export * from './manifest.js';
export * from './receiver.js';
export * from './sender.js';
