// Shared by the tests of abuse and faults: the resources that a server holds, and their release.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { remains } from '../integration/connection/support.js'
import { openSockets, until } from '../helpers.js'
import type { ChildProcess } from 'node:child_process'
import type { Test } from 'tap'
import type { Rig } from '../integration/connection/support.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Milliseconds after which a resource that is still held counts as leaked. */
const patience = 30_000

/** All resources that clients can make a server hold. Clients in this process count too. */
export function held (rig: Rig): Record<string, number> {
  const { app, processes, relay } = rig
  return {
    ...remains(rig),
    processes: processes.list().length,
    relations: relay.runtime.relations.size,
    tcp: openSockets(app),
    listeners: app.server.listenerCount('upgrade'),
    activeTimers: process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length,
    descriptors: descriptors()
  }
}

/** The number of open file descriptors; 0 where the system has no such count. */
function descriptors (): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0
}

/** Resolves when the server holds no more than before. @throws an error that lists the rest */
export async function letsGo (rig: Rig, before: Record<string, number>): Promise<void> {
  const begun = performance.now()
  const more = (): string[] =>
    Object.entries(held(rig))
      .filter(([what, count]) => count > before[what])
      .map(([what, count]) => `${what} ${before[what]} -> ${count}`)
  await until(() => more().length === 0 || performance.now() - begun > patience)
  const left = more()
  if (left.length > 0) throw new Error(`still there: ${left.join(', ')}`)
}

/** Megabytes in use after garbage collection. Buffers are freed in a later turn. */
export async function used (): Promise<number> {
  collect()
  await new Promise(setImmediate)
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1e6
}

const fixture = (name: string): string =>
  fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

/** Clients in a separate process: `ws` clients that answer pings and echo messages. */
export async function clientsOf (
  t: Test, url: string, count: number
): Promise<{ child: ChildProcess, line (pattern: RegExp): Promise<string> }> {
  // tap adds its loaders to every child, even with another `env`.
  const child = spawn(
    'env',
    [
      '-u',
      'NODE_OPTIONS',
      '-u',
      'NODE_V8_COVERAGE',
      process.execPath,
      fixture('clients.js'),
      url,
      String(count)
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] }
  )
  t.teardown(() => { child.kill('SIGKILL') })
  const lines = createInterface(child.stdout!)[Symbol.asyncIterator]()
  const line = async (pattern: RegExp): Promise<string> => {
    for (;;) {
      const { value, done } = await lines.next()
      if (done === true) throw new Error(`the clients ended before they printed ${String(pattern)}`)
      if (pattern.test(value)) return value
    }
  }
  await line(/^open$/)
  return { child, line }
}
