// Runs when the package is installed: compiles it, unless it has a binary for this platform. It
// never fails, because fastify-ws-relay works without it and says so. npm shows what this prints
// with `--foreground-scripts` only.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { built, loadBinary } from './binary.js'
import { compile } from './compile.js'

const folder = fileURLToPath(new URL('.', import.meta.url))

/** The headers that came with Node. Without them, node-gyp would download some. */
function nodeHeaders () {
  const candidates = [process.env.npm_config_nodedir, dirname(dirname(process.execPath))]
  return candidates.find((path) => path && existsSync(join(path, 'include/node/node_api.h')))
}

function works () {
  try {
    loadBinary()
    return true
  } catch {
    return false
  }
}

/** npm puts its node-gyp into the PATH of the scripts of packages. */
function compileByGyp () {
  const nodedir = nodeHeaders()
  if (nodedir === undefined) return false
  const args = ['rebuild', `--nodedir=${nodedir}`, '--loglevel=error']
  const { status } = spawnSync('node-gyp', args, { cwd: folder, stdio: 'inherit' })
  return status === 0
}

function compileDirectly () {
  return compile(process.env.CC ?? 'cc', built)
}

/** Why it cannot be used; undefined if it can. */
function install () {
  if (process.platform === 'win32') return 'it is not for Windows'
  if (works()) return undefined
  for (const attempt of [compileByGyp, compileDirectly]) {
    if (attempt() && works()) return undefined
  }
  // The next attempt must not find what is not complete.
  rmSync(built, { force: true })
  return 'it could not be compiled: is there a C compiler (Debian: apt-get install gcc libc6-dev)?'
}

const problem = install()
if (problem !== undefined) {
  console.error(`fastify-ws-relay works without fastify-ws-relay-native: ${problem}`)
}
