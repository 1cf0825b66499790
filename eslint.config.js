import neostandard, { plugins, resolveIgnoresFromGitignore } from 'neostandard'
import plainEnglish from './scripts/eslint-plain-english.mjs'

const typescript = plugins['typescript-eslint'].plugin

const lines = { code: 100, ignoreUrls: true, ignoreRegExpLiterals: true }
const linesOfTests = { ...lines, ignoreStrings: true, ignoreTemplateLiterals: true }

export default [
  ...neostandard({ ts: true, ignores: resolveIgnoresFromGitignore() }),
  {
    name: 'everywhere',
    // The relay's messages and header have snake_case fields, which are destructured.
    rules: { camelcase: 'off' }
  },
  {
    name: 'text',
    plugins: { '@stylistic': plugins['@stylistic'], project: plainEnglish },
    rules: {
      'project/plain-english': 'error',
      '@stylistic/max-len': ['error', lines]
    }
  },
  {
    name: 'text of tests',
    files: ['test/**'],
    rules: { '@stylistic/max-len': ['error', linesOfTests] }
  },
  {
    name: 'published code',
    files: ['lib/**/*.ts', 'types/**/*.ts'],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname }
    },
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
    name: 'type tests',
    files: ['types/**/*.tst.ts', 'test/types/**/*.tst.ts'],
    rules: { '@typescript-eslint/no-explicit-any': 'off' }
  }
]
