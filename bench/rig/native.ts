import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { benchFolder } from './machine.js'

const root = join(benchFolder, '..')

/**
 * Compiles the native sender and links it into `node_modules/`. Where it cannot be compiled, a line
 * on stderr says why.
 * @returns whether servers can use it
 */
export function buildNative (): boolean {
  const script = join(root, 'scripts/build-native.mjs')
  const { status } = spawnSync(process.execPath, [script], { stdio: ['ignore', 2, 2] })
  const binary = 'node_modules/fastify-ws-relay-native/build/Release/send_many.node'
  if (status === 0 && existsSync(join(root, binary))) return true
  console.error('The server with the native sender is skipped')
  return false
}
