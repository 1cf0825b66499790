// A node in an operating-system process of the fault suite: a server with the plugin.
import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import Fastify, { type FastifyInstance } from 'fastify'
import { nats, type NatsOptions } from '../../../lib/cluster/engines/nats.js'
import { redis, type RedisOptions } from '../../../lib/cluster/engines/redis.js'
import wsRelay from '../../../lib/index.js'
import type {
  ClusterHealth,
  ClusterMembers,
  ClusterName,
  ClusterNodeInfo,
  ClusterStats
} from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'

/** The node, its engine, and the options of the connection. */
export interface Joining {
  readonly node: string
  readonly engine: 'nats' | 'redis'
  readonly port: number
  readonly prefix: string
  readonly options: NatsOptions | RedisOptions
}

/** A system message that the observer of a node received, and the time in ms since 1970. */
export interface Happening { readonly topic: string, readonly payload: any, readonly at: number }

/** Statistics of the numbers that a process received with one topic. */
export interface Tally { count: number, last: number, inOrder: boolean }

/** Numbers that a load has sent: accepted, refused, and broadcast to its group. */
export interface Load { accepted: number, refused: number, broadcast: number }

/** The code of an error. */
export interface Refusal { readonly code: string }

/** Topics with numbers: messages to one process, and broadcasts to a group. */
export type Numbered = 'number' | 'news'

interface Loose { [topic: string]: any }

class Tallies {
  readonly #of: Record<Numbered, Tally> = {
    number: { count: 0, last: 0, inOrder: true },
    news: { count: 0, last: 0, inOrder: true }
  }

  readonly #changes = new EventEmitter()

  add (topic: Numbered, number: number): void {
    const tally = this.#of[topic]
    tally.count++
    if (number <= tally.last) tally.inOrder = false
    tally.last = number
    this.#changes.emit(topic)
  }

  /** Resolves when a number, or a later one, has come. */
  async reaches (topic: Numbered, number: number): Promise<Tally> {
    while (this.#of[topic].last < number) await once(this.#changes, topic)
    return this.#of[topic]
  }
}

/** One node. Every method is a command. */
export class WorkerNode {
  readonly #app: FastifyInstance
  readonly #system: Processes
  readonly #observer: Process<Loose>
  readonly #tallies = new Map<Pid, Tallies>()
  #load: (Load & { readonly timer: NodeJS.Timeout }) | undefined

  private constructor (app: FastifyInstance, observer: Process<Loose>) {
    this.#app = app
    this.#system = app.processes
    this.#observer = observer
  }

  static async start (
    { node, engine, port, prefix, options }: Joining,
    tell: (happening: Happening) => void
  ): Promise<WorkerNode> {
    const shared = { prefix, startTimeout: '60s' }
    const cluster =
      engine === 'nats'
        ? nats({ servers: `127.0.0.1:${port}`, ...shared, ...(options as NatsOptions) })
        : redis({
          ...('sentinels' in options ? {} : { host: '127.0.0.1', port }),
          ...shared,
          ...(options as RedisOptions)
        })
    const app = Fastify()
    await app.register(wsRelay, { node, cluster, closeTimeout: '1s' })
    app.get<{ Querystring: { target: Pid } }>('/', (request, reply) => {
      reply.header('x-ws-relay', JSON.stringify({ target_pid: request.query.target })).send()
    })
    await app.ready()
    const system = app.processes
    const observer = await new Promise<Process<Loose>>((resolve) => {
      system.spawn<Loose, []>(
        async (self) => {
          resolve(self)
          await self.serve({}, ({ topic, payload }) => {
            tell({ topic, payload, at: Date.now() })
          })
        },
        { trapLinks: true }
      )
    })
    // The nodes that are known already are reported like changes.
    for (const { node, state } of system.cluster!.watch(observer.pid)) {
      tell({ topic: '@node', payload: { node, state }, at: Date.now() })
    }
    return new WorkerNode(app, observer)
  }

  // Processes and sockets

  observer (): Pid {
    return this.#observer.pid
  }

  /** Spawns a process that counts numbers, answers calls, and echoes messages of sockets. */
  spawn (): Pid {
    const tallies = new Tallies()
    const pid = this.#system.spawn<Loose, []>(async (self) => {
      await self.serve({
        number: ([number]) => {
          tallies.add('number', number)
        },
        news: (number) => {
          tallies.add('news', number)
        },
        echo (value, { reply }) {
          reply(value)
        },
        silence () {},
        'ws.message' ({ client_pid: client, type, data }) {
          self.send(client, 'ws.send', { type, data })
        }
      })
    })
    this.#tallies.set(pid, tallies)
    return pid
  }

  /** Accepts sockets, whose target is in the query. @returns the port */
  async listen (): Promise<number> {
    const address = new URL(await this.#app.listen({ port: 0, host: '127.0.0.1' }))
    return Number(address.port)
  }

  /** Resolves when a number, or a later one, has come. */
  async received (pid: Pid, number: number, topic: Numbered = 'number'): Promise<Tally> {
    return await this.#tallies.get(pid)!.reaches(topic, number)
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

  // Load

  /** Sends 500 numbers a second with 200 bytes each to a process, and 50 a second to a group. */
  startLoad (to: Pid, group?: string): void {
    const timer = setInterval(() => {
      this.#sendSome(to, group)
    }, 20)
    timer.unref()
    this.#load = { timer, accepted: 0, refused: 0, broadcast: 0 }
  }

  #sendSome (to: Pid, group: string | undefined): void {
    const load = this.#load!
    for (let i = 0; i < 10; i++) {
      // A refused number is sent again, so the accepted ones have no gap.
      if (this.#observer.send(to, 'number', [load.accepted + 1, 'x'.repeat(200)])) load.accepted++
      else load.refused++
    }
    if (group !== undefined) this.broadcast(group, ++load.broadcast)
  }

  /** The counters of the load so far. */
  load (): Load {
    const { accepted, refused, broadcast } = this.#load!
    return { accepted, refused, broadcast }
  }

  stopLoad (): Load {
    clearInterval(this.#load!.timer)
    return this.load()
  }

  // Groups

  async join (group: string, pid: Pid): Promise<void> {
    await this.#system.cluster!.groups.join(group, pid)
  }

  async members (group: string): Promise<ClusterMembers> {
    return await this.#system.cluster!.groups.members(group)
  }

  broadcast (group: string, number: number): boolean {
    return this.#system.cluster!.groups.broadcast(group, 'news', number)
  }

  // Names

  /** Retries until the register can tell whether the name is free. */
  async register (name: string, pid: Pid): Promise<ClusterName> {
    for (;;) {
      try {
        return await this.#system.cluster!.names.register(name, pid)
      } catch (error) {
        if ((error as Refusal).code !== 'FST_CLUSTER_UNAVAILABLE') throw error
        await pause(100)
      }
    }
  }

  /** Retries until the process has the name. */
  async takeOver (name: string, pid: Pid): Promise<ClusterName & { readonly at: number }> {
    for (;;) {
      try {
        return { ...(await this.register(name, pid)), at: Date.now() }
      } catch (error) {
        if ((error as Refusal).code !== 'FST_CLUSTER_NAME_TAKEN') throw error
        await pause(100)
      }
    }
  }

  /** @returns the error code with which the name is refused */
  async refusal (name: string, pid: Pid): Promise<Refusal> {
    try {
      await this.register(name, pid)
      return { code: 'none' }
    } catch (error) {
      return { code: (error as Refusal).code }
    }
  }

  async lookup (name: string): Promise<ClusterName | undefined> {
    return await this.#system.cluster!.names.lookup(name)
  }

  // State of the node

  nodes (): ClusterNodeInfo[] {
    return this.#system.cluster!.nodes()
  }

  stats (): ClusterStats {
    return this.#system.cluster!.stats()
  }

  /** Resolves when a counter has reached a value. */
  async counted (counter: Exclude<keyof ClusterStats, 'refused'>, least: number): Promise<void> {
    while (this.stats()[counter] < least) await pause(10)
  }

  health (): ClusterHealth {
    return this.#system.cluster!.health()
  }

  /** Blocks the event loop. */
  block (ms: number): void {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
  }

  now (): number {
    return Date.now()
  }

  async close (): Promise<void> {
    await this.#app.close()
  }
}
