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
  console.error('The servers with the native sender are skipped')
  return false
}

/** Whether the kernel allows io_uring. Otherwise a line on stderr says that it does not. */
export function allowsRing (): boolean {
  const script = 'process.exit((await import("fastify-ws-relay-native")).ringError ? 1 : 0)'
  const env = { ...process.env, WS_RELAY_IO_URING: '1' }
  const args = ['--input-type=module', '-e', script]
  if (spawnSync(process.execPath, args, { cwd: root, env }).status === 0) return true
  console.error('The server with io_uring is skipped, because it is not allowed here')
  return false
}
