// What the tests of abuse and of faults share: what a server holds, and that it lets go of it.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { remains } from '../integration/connection/support.js'
import { until } from '../helpers.js'
import type { ChildProcess } from 'node:child_process'
import type { Test } from 'tap'
import type { Rig } from '../integration/connection/support.js'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Milliseconds after which what should have been let go of never will be. */
const patience = 30_000

/** All that a client could make a server keep. Clients of the same process count, too. */
export function held (rig: Rig): Record<string, number> {
  const { app, processes, relay } = rig
  return {
    ...remains(rig),
    processes: processes.list().length,
    relations: relay.runtime.relations.size,
    tcp: (app.server as unknown as { _connections: number })._connections,
    listeners: app.server.listenerCount('upgrade'),
    activeTimers: process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length,
    descriptors: descriptors()
  }
}

/** Open file descriptors; 0 where the system does not tell. */
function descriptors (): number {
  return existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0
}

/** Resolves when the server holds no more than it did before. @throws Error that says what it still holds */
export async function letsGo (rig: Rig, before: Record<string, number>): Promise<void> {
  const begun = performance.now()
  const more = (): string[] => Object.entries(held(rig)).filter(([what, count]) => count > before[what]).map(([what, count]) => `${what} ${before[what]} -> ${count}`)
  await until(() => more().length === 0 || performance.now() - begun > patience)
  const left = more()
  if (left.length > 0) throw new Error(`still there: ${left.join(', ')}`)
}

/** Megabytes in use, when garbage is collected. The memory of buffers is freed in a later turn. */
export async function used (): Promise<number> {
  collect()
  await new Promise(setImmediate)
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1e6
}

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))

/** Clients in a process of their own: `ws`, which answers pings and echoes what it is sent. */
export async function clientsOf (t: Test, url: string, count: number): Promise<{ child: ChildProcess, line (pattern: RegExp): Promise<string> }> {
  // tap gives its loaders to every child, whatever `env` says.
  const child = spawn('env', ['-u', 'NODE_OPTIONS', '-u', 'NODE_V8_COVERAGE', process.execPath, fixture('clients.js'), url, String(count)], { stdio: ['ignore', 'pipe', 'inherit'] })
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
