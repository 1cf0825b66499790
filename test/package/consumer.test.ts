// The packed package, used from ESM, from CommonJS, from TypeScript and from a bundle. What takes
// longer, all of TypeScript's modes and the other bundlers, is in tools.test.ts.
import { existsSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import t from 'tap'
import { bundle, unreachable } from './bundle.js'
import { add, dependency, exec, install } from './install.js'
import { check } from './modes.js'

const scratch = await install(t, dependency('typescript'))
const installed = join(scratch, 'node_modules', 'fastify-ws-relay')

const node = (...args: string[]) => exec(scratch, process.execPath, ...args)
const tsc = (...args: string[]) => node(join('node_modules', 'typescript', 'bin', 'tsc'), ...args)

t.test('every file that the manifest names is in the tarball', async (t) => {
  const { exports, main, types } = JSON.parse(
    await readFile(join(installed, 'package.json'), 'utf8')
  )
  const named = JSON.stringify([exports, main, types]).match(/"\.\/[^"]*\.[^"/]+"(?!:)/g) ?? []
  const files = new Set(named.map((name): string => JSON.parse(name)))
  t.ok(files.has('./dist/lib/process/index.d.ts'))
  for (const file of files) t.ok(existsSync(join(installed, file)), file)
})

t.test('the tarball has only what a user needs', async (t) => {
  const folders = (await readdir(installed)).filter((name) => name !== 'node_modules').sort()
  const allowed = [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist',
    'docs',
    'lib',
    'package.json',
    'types'
  ]
  t.strictSame(folders.filter((name) => !allowed.includes(name)), [])
  const files = await readdir(installed, { recursive: true })
  t.strictSame(
    files.filter((name) => /\.(?:test|tst)\.|(?:^|[\\/])(?:test|examples|bench)[\\/]/.test(name)),
    []
  )
})

t.test('the dashboard and the alert rules are in the tarball', async (t) => {
  for (const name of ['dashboard.json', 'alerts.yml']) {
    t.ok(existsSync(join(installed, 'docs', 'prometheus', name)), name)
  }
})

t.test('every source map leads to a source that is in the tarball', async (t) => {
  const files = await readdir(join(installed, 'dist'), { recursive: true })
  const maps = files.filter((name) => name.endsWith('.map'))
  t.ok(maps.length > 0)
  const missing: string[] = []
  for (const name of maps) {
    const map = join(installed, 'dist', name)
    const { sources } = JSON.parse(await readFile(map, 'utf8')) as { sources: string[] }
    missing.push(...sources.filter((source) => !existsSync(resolve(dirname(map), source))))
  }
  t.strictSame(missing, [])
})

t.test('an ES module registers the plugin and relays a socket', async (t) => {
  t.match(await node('esm.mjs'), /^echoed: hello$/m)
})

t.test('a CommonJS module requires the plugin itself, and processes alone', async (t) => {
  t.match(await node('commonjs.cjs'), /^answered: 42$/m)
})

t.test('it loads where the package ws is another one, as on Bun', async (t) => {
  t.equal(await node('other-ws.mjs'), 'function\n')
})

t.test('TypeScript users get the types, augmented Fastify included', async (t) => {
  t.equal(await tsc('-p', 'tsconfig.json'), '')
})

t.test('an engine whose client is not installed says which packages it needs', async (t) => {
  t.match(
    await node('engines.mjs'),
    new RegExp(
      '^nats: FST_CLUSTER_CLIENT_MISSING @nats-io/transport-node @nats-io/jetstream @nats-io/kv\n' +
      'redis: FST_CLUSTER_CLIENT_MISSING ioredis$',
      'm'
    )
  )
})

t.test('engines have the types of their clients', async (t) => {
  await add(
    scratch,
    ...[
      '@nats-io/transport-node',
      '@nats-io/jetstream',
      '@nats-io/kv',
      'ioredis',
      '@opentelemetry/api',
      '@types/node'
    ].map(dependency)
  )
  t.equal(await tsc('-p', 'tsconfig.engines.json'), '')
})

t.test('processes are traced where the API of OpenTelemetry is installed', async (t) => {
  t.match(await node('otel.mjs'), /^answered: 42$/m)
})

t.test('the types are the same where a bundler resolves modules', async (t) => {
  t.strictSame(await check(scratch, 'typescript', 'esm', ['bundler']), { bundler: [] })
})

t.test('a CommonJS bundle by esbuild starts, answers and closes', async (t) => {
  const { output, warnings } = await bundle(t, scratch, 'esbuild', 'cjs')
  t.equal(output, unreachable)
  t.strictSame(warnings, [])
})

t.test('a wrong use does not compile', async (t) => {
  await t.rejects(tsc('-p', 'tsconfig.wrong.json'), { message: /wrong\.ts\(\d+,\d+\): error TS/ })
})
