export * from './bitmap.js';
export * from './distribution.js';
export * from './errors.js';
export * from './manifest.js';
export * from './receiver.js';
export * from './requests.js';
export * from './sender.js';
export * from './token-bucket.js';
