/** Lets Node run the benchmarks and the libraries from their TypeScript sources. */
import { register } from 'node:module';

register('./typescript-loader.mjs', import.meta.url);
