import neostandard, { plugins, resolveIgnoresFromGitignore } from 'neostandard'

const typescript = plugins['typescript-eslint'].plugin

/** The pattern of an import, with the reason why it is not allowed. */
const not = (message, ...group) => ({ group, message })

const noIndex = (...group) => not(
  'Only tests and examples import the plugin: nothing in lib/ or types/ depends on lib/index', ...group
)
const noFramework = not(
  'lib/process and lib/cluster are usable alone: nothing of Fastify or ws',
  'fastify', 'fastify/*', 'fastify-plugin', 'ws', 'ws/*', '@fastify/*', '!@fastify/error'
)
const noRelay = not(
  'index -> upgrade -> connection -> process: lib/process and lib/cluster know nothing of the relay',
  '**/upgrade/**', '**/connection/**', '**/websocket/**'
)
const noEngine = not(
  'The clients of engines live in lib/cluster/engines alone',
  '@nats-io/*', 'ioredis', 'ioredis/*'
)
const noTests = not(
  'What is published does not import what is not',
  '**/test/**', '**/examples/**', '**/bench/**'
)

const restrict = (...patterns) => ({ 'no-restricted-imports': ['error', { patterns }] })

export default [
  ...neostandard({ ts: true, ignores: resolveIgnoresFromGitignore() }),
  {
    name: 'everywhere',
    // The relay's messages and header have snake_case fields, which are destructured.
    rules: { camelcase: 'off' }
  },
  {
    name: 'published code',
    files: ['lib/**/*.ts', 'types/**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { '@typescript-eslint': typescript },
    rules: {
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      '@typescript-eslint/consistent-type-imports': 'error',
      'no-console': 'error'
    }
  },
  {
    name: 'rooms: beside the plugin',
    files: ['lib/*.ts'],
    rules: restrict(noTests, noIndex('./index.js'))
  },
  {
    name: 'rooms: types',
    files: ['types/**/*.ts'],
    rules: restrict(noTests, noIndex('**/lib/index.js'))
  },
  {
    name: 'rooms: the relay',
    files: ['lib/{upgrade,connection,websocket}/**/*.ts'],
    rules: restrict(noTests, noIndex('../index.js', '../../index.js'))
  },
  {
    name: 'rooms: processes',
    files: ['lib/process/**/*.ts'],
    rules: restrict(noTests, noFramework, noRelay, noEngine, noIndex('../index.js', '../../index.js'))
  },
  {
    name: 'rooms: the cluster',
    files: ['lib/cluster/**/*.ts'],
    rules: restrict(noTests, noFramework, noRelay, noEngine, noIndex('../index.js', '../../index.js'))
  },
  {
    name: 'rooms: engines',
    files: ['lib/cluster/engines/**/*.ts'],
    rules: restrict(noTests, noFramework, noRelay, noIndex('../index.js', '../../index.js', '../../../index.js'))
  },
  {
    name: 'type tests',
    files: ['types/**/*.tst.ts', 'test/types/**/*.tst.ts'],
    // They show what users may write, importing what users import.
    rules: { 'no-restricted-imports': 'off', '@typescript-eslint/no-explicit-any': 'off' }
  }
]
