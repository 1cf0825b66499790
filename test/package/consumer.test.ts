// What a user gets: the tarball is packed, installed outside of the repository, where nothing of
// its node_modules can be found by accident, and used from ESM, from CommonJS and from TypeScript.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { root } from '../program.js'

const run = promisify(execFile)
const fixtures = join(root, 'test/package/fixtures')

/** The environment of a user's shell, without what npm puts there for the scripts it runs. */
const env = Object.fromEntries(Object.entries(process.env)
  .filter(([name]) => !/^npm_(?!config_)|^npm_config_local_prefix$/.test(name)))

/**
 * Runs a program; a failure carries what it printed. tap adds its loaders to the NODE_OPTIONS of
 * every child, whatever `env` says: users do not have them, so `env -u` takes them away again.
 */
async function exec (cwd: string, file: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await run('env', ['-u', 'NODE_OPTIONS', file, ...args], { cwd, env })
    return stdout
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string, stderr: string }
    throw new Error(`${file} ${args.join(' ')} failed\n${stdout}${stderr}`, { cause: error })
  }
}

const node = (...args: string[]) => exec(scratch, process.execPath, ...args)
const tsc = (...args: string[]) => node(join('node_modules', 'typescript', 'bin', 'tsc'), ...args)

const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
const scratch = await mkdtemp(join(tmpdir(), 'fastify-ws-relay-consumer-'))
t.teardown(() => rm(scratch, { recursive: true, force: true }))
const installed = join(scratch, 'node_modules', 'fastify-ws-relay')

await cp(fixtures, scratch, { recursive: true })
await mkdir(join(scratch, 'tarball'))
await exec(root, 'npm', 'pack', '--silent', '--pack-destination', join(scratch, 'tarball'))
const [tarball] = await readdir(join(scratch, 'tarball'))
await writeFile(join(scratch, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
await exec(scratch, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error',
  `./tarball/${tarball}`,
  `fastify@${manifest.devDependencies.fastify}`,
  `typescript@${manifest.devDependencies.typescript}`)

t.test('every file that the manifest names is in the tarball', async (t) => {
  const { exports, main, types } = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8'))
  const named = JSON.stringify([exports, main, types]).match(/"\.\/[^"]*\.[^"/]+"/g) ?? []
  const files = new Set(named.map((name): string => JSON.parse(name)))
  t.ok(files.has('./dist/lib/process/index.d.ts'))
  for (const file of files) t.ok(existsSync(join(installed, file)), file)
})

t.test('the tarball has only what a user needs', async (t) => {
  const folders = (await readdir(installed)).filter((name) => name !== 'node_modules').sort()
  const allowed = ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'lib', 'package.json', 'types']
  t.strictSame(folders.filter((name) => !allowed.includes(name)), [])
  const files = await readdir(installed, { recursive: true })
  t.strictSame(files.filter((name) => /\.(?:test|tst)\.|(?:^|[\\/])(?:test|examples|bench)[\\/]/.test(name)), [])
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

t.test('TypeScript users get the types, augmented Fastify included', async (t) => {
  t.equal(await tsc('-p', 'tsconfig.json'), '')
})

t.test('an engine whose client is not installed says which one', async (t) => {
  t.match(await node('engines.mjs'), /^nats: FST_CLUSTER_CLIENT_MISSING @nats-io\/transport-node\nredis: FST_CLUSTER_CLIENT_MISSING ioredis$/m)
})

t.test('engines have the types of their clients', async (t) => {
  const clients = ['@nats-io/transport-node', '@nats-io/jetstream', '@nats-io/kv', 'ioredis', '@types/node']
  await exec(scratch, 'npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error',
    ...clients.map((name) => `${name}@${manifest.devDependencies[name]}`))
  t.equal(await tsc('-p', 'tsconfig.engines.json'), '')
})

t.test('a wrong use does not compile', async (t) => {
  await t.rejects(tsc('-p', 'tsconfig.wrong.json'), { message: /wrong\.ts\(\d+,\d+\): error TS/ })
})
