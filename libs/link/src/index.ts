export * from './device-link.js';
