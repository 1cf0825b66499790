// An operating-system process of the fault suite, with nodes of several clusters. It receives
// commands over IPC, and reports the events that users of the nodes see.
import { WorkerNode, type Happening, type Joining } from './worker-node.js'

/** Sent by the suite. */
export interface Command {
  readonly id: number
  readonly key: string
  readonly method: string
  readonly args: unknown[]
}

/** Sent to the suite. */
export type Report =
  | { readonly id: number, readonly value: unknown }
  | { readonly id: number, readonly error: string }
  | { readonly key: string, readonly happening: Happening }

/** Stalls of this process that no test caused: the machine was busy. */
const stalls: Array<{ readonly end: number, readonly ms: number }> = []
const interval = 100
let lastTickAt = performance.now()

function recordStall (): void {
  const now = performance.now()
  const ms = now - lastTickAt - interval
  lastTickAt = now
  if (ms > interval) stalls.push({ end: Date.now(), ms })
}

/** The longest stall that ended after a time, in milliseconds. */
function longestStall (since: number): number {
  recordStall()
  return Math.max(0, ...stalls.filter(({ end }) => end > since).map(({ ms }) => ms))
}

const nodes = new Map<string, WorkerNode>()

async function runCommand ({ key, method, args }: Command): Promise<unknown> {
  if (method === 'longestStall') return longestStall(args[0] as number)
  if (method === 'start') {
    const tell = (happening: Happening): void => { report({ key, happening }) }
    nodes.set(key, await WorkerNode.start(args[0] as Joining, tell))
    return undefined
  }
  const node = nodes.get(key) as unknown as Record<string, (...args: unknown[]) => unknown>
  return await node[method](...args)
}

function report (message: Report): void {
  process.send!(message)
}

setInterval(recordStall, interval)
process.on('disconnect', () => { process.exit() })
// The suite may have ended while this file was loaded.
if (!process.connected) process.exit()
process.on('message', (command: Command) => {
  runCommand(command).then(
    (value) => {
      report({ id: command.id, value })
    },
    (error: Error & { code?: string }) => {
      report({ id: command.id, error: `${error.code ?? error.name}: ${error.message}` })
    }
  )
})
