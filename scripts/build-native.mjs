// Compiles `native/`, and links it into `node_modules/`, where lib finds it as it does for users.
// Without a compiler it says so and ends with 0: everything works without it.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const link = join(root, 'node_modules/fastify-ws-relay-native')

/** node-gyp is a part of npm. */
function nodeGyp () {
  const npm = spawnSync('npm', ['root', '--global'], { encoding: 'utf8' }).stdout?.trim() ?? ''
  return join(npm, 'npm/node_modules/node-gyp/bin/node-gyp.js')
}

function hasCompiler () {
  return [process.env.CC ?? 'cc', 'make'].every((program) =>
    spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0)
}

/** The headers that came with Node. */
function headers () {
  const configured = spawnSync('npm', ['config', 'get', 'nodedir'], { encoding: 'utf8' })
  const candidates = [configured.stdout?.trim(), dirname(dirname(process.execPath))]
  return candidates.find((path) => path && existsSync(join(path, 'include/node/node_api.h')))
}

function skip (reason) {
  console.log(`The native sender is not compiled: ${reason}`)
  process.exit(0)
}

if (process.platform === 'win32') skip('it is not for Windows')
if (!hasCompiler()) skip('install a C compiler and make (Debian: apt-get install gcc make)')
const nodedir = headers()
if (nodedir === undefined) skip('the headers of Node are not there')
if (!existsSync(nodeGyp())) skip('this npm brings no node-gyp')
const args = [nodeGyp(), 'rebuild', `--nodedir=${nodedir}`, '--loglevel=error']
const cwd = join(root, 'native')
const { status } = spawnSync(process.execPath, args, { cwd, stdio: 'inherit' })
if (status !== 0) process.exit(1)
rmSync(link, { recursive: true, force: true })
symlinkSync('../native', link, 'dir')
