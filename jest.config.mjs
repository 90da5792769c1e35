/** One Jest run over every project; tests live beside the code (`*.spec.ts`) and in `test/`. */
export default {
  testEnvironment: '<rootDir>/libs/onnx/test/ort-environment.mjs',
  testEnvironmentOptions: { customExportConditions: ['espalier-source', 'node', 'default'] },
  roots: [
    '<rootDir>/libs',
    '<rootDir>/apps',
    '<rootDir>/bench',
    '<rootDir>/docs',
    '<rootDir>/docker',
  ],
  testMatch: ['**/*.spec.ts'],
  testPathIgnorePatterns: ['/node_modules/', '/dist/'],
  modulePathIgnorePatterns: ['/dist/'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': [
      '<rootDir>/.ci/jest-transform.mjs',
      {
        swcrc: false,
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2022',
        },
        module: { type: 'es6' },
      },
    ],
  },
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testSequencer: '<rootDir>/.ci/test-order.mjs',
  reporters: ['default', '<rootDir>/.ci/summary-reporter.mjs'],
  // Jest leaves one core idle by default, which on two is half of the machine.
  maxWorkers: '100%',
  testTimeout: 30_000,
};
