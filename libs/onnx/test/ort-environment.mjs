import { TestEnvironment } from 'jest-environment-node';

/**
 * Jest gives every test file a realm of its own, while ONNX Runtime's native half makes its results
 * with the typed arrays of the process. One set of constructors lets them recognise each other.
 */
export default class OrtEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    Object.assign(this.global, {
      Float32Array,
      Float64Array,
      Int8Array,
      Int16Array,
      Int32Array,
      Uint8Array,
      Uint16Array,
      Uint32Array,
      BigInt64Array,
      BigUint64Array,
    });
  }
}
