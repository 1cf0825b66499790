// An operating-system process of the fault suite: nodes of several clusters, told over IPC what to do,
// and telling what their users see.
import { nats } from '../../../lib/cluster/transports/nats.js'
import { redis } from '../../../lib/cluster/transports/redis.js'
import { createProcesses } from '../../../lib/process/index.js'
import type { ClusterName, ClusterNodeInfo, ClusterStats } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, ProcessSystem } from '../../../types/processes.js'

/** How a node reaches its engine. */
export interface Joining { readonly node: string, readonly engine: 'nats' | 'redis', readonly port: number, readonly prefix: string }

/** What the observer of a node received, and when: milliseconds since 1970. */
export interface Happening { readonly topic: string, readonly payload: any, readonly at: number }

/** The numbers that a process received. */
export interface Tally { count: number, last: number, inOrder: boolean }

/** The code of an error. */
export interface Refusal { readonly code: string }

/** From the suite. */
export type Command = { readonly id: number, readonly key: string, readonly method: string, readonly args: unknown[] }

/** To the suite. */
export type Report =
  | { readonly id: number, readonly value: unknown } | { readonly id: number, readonly error: string }
  | { readonly key: string, readonly happening: Happening }

interface Loose { [topic: string]: any }

const pause = async (ms: number): Promise<void> => { await new Promise((resolve) => { setTimeout(resolve, ms) }) }

/** One node. Every method is a command. */
export class WorkerNode {
  readonly #system: ProcessSystem
  readonly #observer: Process<Loose>
  readonly #tallies = new Map<Pid, Tally & { changed: () => void }>()
  #load: { readonly timer: NodeJS.Timeout, accepted: number, refused: number } | undefined

  private constructor (system: ProcessSystem, observer: Process<Loose>) {
    this.#system = system
    this.#observer = observer
  }

  static async join ({ node, engine, port, prefix }: Joining, tell: (happening: Happening) => void): Promise<WorkerNode> {
    const cluster = engine === 'nats' ? nats({ servers: `127.0.0.1:${port}`, prefix, startTimeout: '60s' }) : redis({ host: '127.0.0.1', port, prefix, startTimeout: '60s' })
    const system = createProcesses({ node, cluster, closeTimeout: '1s' })
    await system.ready()
    const observer = await new Promise<Process<Loose>>((resolve) => {
      system.spawn<Loose, []>(async (self) => {
        resolve(self)
        await self.serve({}, ({ topic, payload }) => { tell({ topic, payload, at: Date.now() }) })
      }, { trapLinks: true })
    })
    // What was there before the first change is told in the same way.
    for (const { node, state } of system.cluster!.watch(observer.pid)) tell({ topic: '@node', payload: { node, state }, at: Date.now() })
    return new WorkerNode(system, observer)
  }

  observer (): Pid {
    return this.#observer.pid
  }

  /** A process that counts the numbers it is sent, and answers calls. */
  spawn (): Pid {
    const tally = { count: 0, last: 0, inOrder: true, changed () {} }
    const pid = this.#system.spawn<Loose, []>(async (self) => {
      await self.serve({
        number ([number]) {
          tally.count++
          if (number <= tally.last) tally.inOrder = false
          tally.last = number
          tally.changed()
        },
        echo (value, { reply }) { reply(value) },
        silence () {}
      })
    })
    this.#tallies.set(pid, tally)
    return pid
  }

  /** Resolves when a number, or a later one, has come. */
  async received (pid: Pid, number: number): Promise<Tally> {
    const tally = this.#tallies.get(pid)!
    while (tally.last < number) await new Promise<void>((resolve) => { tally.changed = resolve })
    return this.tally(pid)
  }

  tally (pid: Pid): Tally {
    const { count, last, inOrder } = this.#tallies.get(pid)!
    return { count, last, inOrder }
  }

  alive (pid: Pid): boolean {
    return this.#system.alive(pid)
  }

  exit (pid: Pid, reason: string): number {
    this.#system.exit(pid, reason)
    return Date.now()
  }

  monitor (pid: Pid): void {
    this.#observer.monitor(pid)
  }

  link (pid: Pid): void {
    this.#observer.link(pid)
  }

  send (pid: Pid, topic: string, payload: unknown): boolean {
    return this.#observer.send(pid, topic, payload)
  }

  async call (pid: Pid, topic: string, payload: unknown): Promise<unknown> {
    return await this.#observer.call(pid, topic, payload, { timeout: '2m' })
  }

  /** Sends numbers, 500 a second, each with 200 bytes. */
  startLoad (to: Pid): void {
    const load = this.#load = { timer: setInterval(() => { this.#sendSome(to) }, 20), accepted: 0, refused: 0 }
    load.timer.unref()
  }

  #sendSome (to: Pid): void {
    const load = this.#load!
    for (let i = 0; i < 10; i++) {
      // A number is used again when it was refused: what is accepted has no gap.
      if (this.#observer.send(to, 'number', [load.accepted + 1, 'x'.repeat(200)])) load.accepted++
      else load.refused++
    }
  }

  /** What of the load was accepted so far. */
  load (): { accepted: number, refused: number } {
    const { accepted, refused } = this.#load!
    return { accepted, refused }
  }

  stopLoad (): { accepted: number, refused: number } {
    clearInterval(this.#load!.timer)
    return this.load()
  }

  async register (name: string, pid: Pid): Promise<ClusterName> {
    return await this.#system.cluster!.names.register(name, pid)
  }

  /** Tries until it has the name. */
  async takeOver (name: string, pid: Pid): Promise<ClusterName & { readonly at: number, readonly refused: number }> {
    for (let refused = 0; ; refused++) {
      try {
        return { ...await this.register(name, pid), at: Date.now(), refused }
      } catch (error) {
        if (!['FST_CLUSTER_NAME_TAKEN', 'FST_CLUSTER_UNAVAILABLE'].includes((error as Refusal).code)) throw error
        await pause(100)
      }
    }
  }

  /** Why it does not get a name. */
  async refusal (name: string, pid: Pid): Promise<Refusal> {
    for (;;) {
      try {
        await this.register(name, pid)
        return { code: 'none' }
      } catch (error) {
        const { code } = error as Refusal
        if (code !== 'FST_CLUSTER_UNAVAILABLE') return { code }
        await pause(100)
      }
    }
  }

  async lookup (name: string): Promise<ClusterName | undefined> {
    return await this.#system.cluster!.names.lookup(name)
  }

  nodes (): ClusterNodeInfo[] {
    return this.#system.cluster!.nodes()
  }

  stats (): ClusterStats {
    return this.#system.cluster!.stats()
  }

  /** Resolves when a counter has come so far. */
  async counted (counter: keyof ClusterStats, least: number): Promise<void> {
    while (this.stats()[counter] < least) await pause(10)
  }

  health (): { ready: boolean, problem?: string } {
    return this.#system.cluster!.health()
  }

  /** Stands still, as a body that never awaits would make it. */
  block (ms: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  }

  async close (): Promise<void> {
    await this.#system.close()
  }
}

/** How long this process stood still at most since it was last asked: the machine may have other things to do. */
const lagInterval = 100
let lookedAt = performance.now()
let longest = 0

function look (): void {
  const now = performance.now()
  longest = Math.max(longest, now - lookedAt - lagInterval)
  lookedAt = now
}

function lag (): number {
  look()
  const result = longest
  longest = 0
  return result
}

const nodes = new Map<string, WorkerNode>()

async function obey ({ key, method, args }: Command): Promise<unknown> {
  if (method === 'lag') return lag()
  if (method === 'join') {
    const tell = (happening: Happening): void => { report({ key, happening }) }
    nodes.set(key, await WorkerNode.join(args[0] as Joining, tell))
    return undefined
  }
  const node = nodes.get(key) as unknown as Record<string, (...args: unknown[]) => unknown>
  return await node[method](...args)
}

function report (message: Report): void {
  process.send!(message)
}

setInterval(look, lagInterval)
process.on('disconnect', () => { process.exit() })
process.on('message', (command: Command) => {
  obey(command).then((value) => { report({ id: command.id, value }) }, (error: Error & { code?: string }) => { report({ id: command.id, error: `${error.code ?? error.name}: ${error.message}` }) })
})
