// The packed package in every mode of two TypeScript versions, and in the bundles of three
// bundlers. It takes minutes: `npm run test:long`.
import t from 'tap'
import { bundle, unreachable } from './bundle.js'
import { dependency, install } from './install.js'
import { check, modes } from './modes.js'

t.setTimeout(0)
t.jobs = 2

const compilers = {
  'typescript-5.9': 'typescript-5.9@npm:typescript@~5.9.3',
  typescript: dependency('typescript')
}
const peers = [
  '@nats-io/transport-node',
  '@nats-io/jetstream',
  '@nats-io/kv',
  'ioredis',
  '@opentelemetry/api',
  '@types/node'
]
const scratch = await install(t, ...Object.values(compilers), ...peers.map(dependency))

/** Each compiler, kind of folder, bundler and format once: all of them take minutes more. */
const smoke = [
  'typescript-5.9 cjs', 'typescript esm', 'esbuild cjs', 'esbuild esm', 'rollup esm', 'webpack cjs'
]
const isWanted = (name: string): boolean => process.env.TEST_SMOKE !== '1' || smoke.includes(name)

for (const compiler of Object.keys(compilers)) {
  for (const folder of ['esm', 'cjs'] as const) {
    if (!isWanted(`${compiler} ${folder}`)) continue
    t.test(`${compiler} has no errors in any mode, in a package that is ${folder}`, async (t) => {
      const none = Object.fromEntries(modes.map((mode) => [mode, []]))
      t.strictSame(await check(scratch, compiler, folder, modes), none)
    })
  }
}

for (const tool of ['esbuild', 'rollup', 'webpack']) {
  for (const format of ['cjs', 'esm']) {
    if (!isWanted(`${tool} ${format}`)) continue
    t.test(`a bundle by ${tool}, as ${format}, starts, answers and closes`, async (t) => {
      const { output, warnings } = await bundle(t, scratch, tool, format)
      t.equal(output, unreachable)
      t.strictSame(warnings, [])
    })
  }
}
