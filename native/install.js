// Runs when the package is installed: compiles it, unless it has a binary for this platform. It
// never fails, because fastify-ws-relay works without it and says so.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadBinary } from './binary.js'

const folder = fileURLToPath(new URL('.', import.meta.url))

/** The headers that came with Node, so that none are downloaded. */
function nodeHeaders () {
  const given = process.env.npm_config_nodedir
  if (given) return given
  const prefix = dirname(dirname(process.execPath))
  return existsSync(join(prefix, 'include/node/node_api.h')) ? prefix : undefined
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
function compile () {
  const nodedir = nodeHeaders()
  const args = ['rebuild', ...nodedir === undefined ? [] : [`--nodedir=${nodedir}`]]
  const { status, error } = spawnSync('node-gyp', args, { cwd: folder, stdio: 'inherit' })
  return error === undefined && status === 0
}

if (!works() && !(compile() && works())) {
  console.error('fastify-ws-relay-native could not be compiled: fastify-ws-relay works without it')
}
