import js from '@eslint/js';
import importX, { createNodeResolver } from 'eslint-plugin-import-x';
import globals from 'globals';
import tseslint from 'typescript-eslint';

/**
 * Who may import whom, in the direction of the data flow. A project that is not in a list is out of
 * reach: apps import libs, never each other.
 */
const MAY_IMPORT = {
  'libs/onnx': [],
  'libs/dataset': [],
  'libs/artifact': [],
  'libs/evidence': [],
  'libs/protocol': [],
  'libs/authority': ['protocol'],
  'libs/delivery': ['protocol'],
  'libs/link': ['protocol'],
  'libs/trust': ['protocol'],
  'libs/compression': ['onnx', 'dataset', 'artifact', 'evidence'],
  'libs/tuning': ['compression', 'onnx', 'protocol'],
  'libs/rollout': ['evidence', 'protocol'],
  'apps/broker': ['protocol', 'trust'],
  'apps/agent': [
    'protocol',
    'link',
    'delivery',
    'trust',
    'evidence',
    'dataset',
    'onnx',
    'artifact',
  ],
  'apps/simulator': ['protocol', 'link', 'delivery', 'trust', 'evidence'],
  'apps/server': [
    'onnx',
    'dataset',
    'artifact',
    'compression',
    'tuning',
    'rollout',
    'delivery',
    'evidence',
    'protocol',
    'trust',
    'authority',
  ],
  'apps/cli': [
    'onnx',
    'dataset',
    'compression',
    'tuning',
    'rollout',
    'protocol',
    'trust',
    'delivery',
    'authority',
  ],
  // It knows the server by its API alone, whose types are made from the API's description.
  'apps/console': [],
};

const LIBS = Object.keys(MAY_IMPORT)
  .filter((project) => project.startsWith('libs/'))
  .map((project) => project.slice('libs/'.length));

/** What tests may import besides: a test of a broker or an agent makes certificates itself. */
const TESTS_MAY_IMPORT = {
  'libs/authority/test': [...MAY_IMPORT['libs/authority'], 'trust'],
  'apps/broker/test': [...MAY_IMPORT['apps/broker'], 'authority'],
  'apps/agent/test': [...MAY_IMPORT['apps/agent'], 'authority'],
};

const boundaries = Object.entries({ ...MAY_IMPORT, ...TESTS_MAY_IMPORT }).map(
  ([project, allowed]) => ({
    files: [`${project}/**/*.{ts,tsx}`],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: LIBS.filter((lib) => !allowed.includes(lib)).map((lib) => ({
            name: `@espalier/${lib}`,
            message: `${project} may import ${allowed.map((name) => `@espalier/${name}`).join(', ') || 'no lib of ours'}.`,
          })),
          patterns: [
            {
              group: ['@espalier/app-*'],
              message: 'Apps never import each other; share through a lib.',
            },
            {
              group: [
                '@espalier/*/**',
                // Small enough for a device that does not load the parser.
                ...(allowed.includes('onnx') ? ['!@espalier/onnx/external-data'] : []),
              ],
              message: 'Import a lib by its name; its index is its surface.',
            },
            {
              group: ['**/libs/**', '**/apps/**'],
              message: 'Cross projects by package name only.',
            },
          ],
        },
      ],
    },
  }),
);

export default tseslint.config(
  { ignores: ['**/dist/**', '**/node_modules/**', '**/generated/**', 'coverage/**', '.nx/**'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  {
    languageOptions: { globals: globals.node },
    plugins: { 'import-x': importX },
    settings: {
      'import-x/extensions': ['.ts', '.tsx', '.js', '.mjs'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts', '.tsx'] },
      'import-x/resolver-next': [
        createNodeResolver({
          extensions: ['.ts', '.tsx', '.js', '.mjs', '.json'],
          extensionAlias: { '.js': ['.ts', '.js'] },
          conditionNames: ['espalier-source', 'node', 'import', 'default'],
        }),
      ],
    },
    rules: {
      'import-x/no-cycle': 'error',
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
      '@typescript-eslint/consistent-type-definitions': 'error',
      'no-console': 'error',
    },
  },
  {
    files: ['**/*.spec.ts', '**/test/**/*.ts'],
    languageOptions: { globals: { ...globals.node, ...globals.jest } },
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    files: ['apps/console/**'],
    languageOptions: {
      globals: globals.browser,
      parserOptions: { ecmaFeatures: { jsx: true } },
    },
  },
  { files: ['**/*.mjs', 'bench/**', 'docs/**', 'docker/**'], rules: { 'no-console': 'off' } },
  ...boundaries,
);
