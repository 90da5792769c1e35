/** Threads do not take over how sources in TypeScript are run. */
import '../register.mjs';

await import('./parts-thread.ts');
