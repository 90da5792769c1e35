/**
 * Compiles with SWC, and lets each module hold the globals that arithmetic uses as constants of its own.
 * In the realm that Jest gives a test file every look-up of a global is a call, and a loop over numbers
 * spends most of its time in them.
 */
import { createHash } from 'node:crypto';
import swc from '@swc/jest';

const HELD = [
  ...['Math', 'Number', 'Infinity', 'NaN', 'Array', 'ArrayBuffer', 'DataView', 'BigInt'],
  ...['Float32Array', 'Float64Array', 'Int8Array', 'Int16Array', 'Int32Array', 'BigInt64Array'],
  ...['Uint8Array', 'Uint16Array', 'Uint32Array', 'BigUint64Array', 'Map', 'Set', 'Object'],
];

/** On the line of the module's first statement, so that lines stay as the source map has them. */
function holding(code) {
  if (code.startsWith('#!')) return code;
  const used = HELD.filter(
    (name) =>
      new RegExp(`\\b${name}\\b`).test(code) &&
      !new RegExp(`\\b(?:class|function|const|let|var|import|as)\\s+${name}\\b`).test(code),
  );
  return used.length === 0 ? code : `const { ${used.join(', ')} } = globalThis; ${code}`;
}

export default {
  createTransformer(options) {
    const inner = swc.createTransformer(options);
    return {
      ...inner,
      getCacheKey: (...given) =>
        createHash('sha256')
          .update(`held ${HELD.join(' ')} ${inner.getCacheKey(...given)}`)
          .digest('hex'),
      process: (...given) => {
        const made = inner.process(...given);
        return { ...made, code: holding(made.code) };
      },
      processAsync: async (...given) => {
        const made = await inner.processAsync(...given);
        return { ...made, code: holding(made.code) };
      },
    };
  },
};
