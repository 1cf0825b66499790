// What a row of the fault table is played on: an engine of its own, and nodes in operating-system
// processes of their own or shared with other rows, which they do not disturb.
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { natsServer, redisServer, type EngineServer } from '../fixtures/servers.js'
import { nats } from '../../../lib/cluster/transports/nats.js'
import { redis } from '../../../lib/cluster/transports/redis.js'
import type { Command, Happening, Joining, Report, WorkerNode } from './worker.js'
import type { Test } from 'tap'
import type { Pid } from '../../../types/pid.js'

/** Nobody waits longer for what has to come; what was seen until then is told. */
const patience = 60_000

/** The machine was too slow for the fault that was meant: another happened. */
export class TooSlow extends Error {}

export type EngineName = Joining['engine']

type Method = Exclude<keyof WorkerNode, symbol>
type Result<M extends Method> = Awaited<ReturnType<WorkerNode[M]>>

/** An operating-system process with nodes in it. */
export class Host {
  readonly #child: ChildProcess
  readonly #answers = new Map<number, { resolve: (value: unknown) => void, reject: (error: Error) => void }>()
  readonly #nodes = new Map<string, TestNode>()
  #last = 0
  /** It does not run, by the will of the test. */
  still = false

  constructor (t: Test) {
    // Nothing of the test runner: what is killed has nothing to tell it.
    const env: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: '', NODE_V8_COVERAGE: '' }
    this.#child = fork(fileURLToPath(new URL('worker.ts', import.meta.url)), { execArgv: ['--import', 'tsx'], env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    this.#child.on('message', (report: Report) => { this.#hear(report) })
    this.#child.once('exit', () => { for (const { reject } of this.#answers.values()) reject(new Error('its process has ended')) })
    t.teardown(() => this.kill())
  }

  #hear (report: Report): void {
    if ('happening' in report) {
      this.#nodes.get(report.key)?.hear(report.happening)
      return
    }
    const answer = this.#answers.get(report.id)
    this.#answers.delete(report.id)
    if ('error' in report) answer?.reject(new Error(report.error))
    else answer?.resolve(report.value)
  }

  async ask (key: string, method: string, ...args: unknown[]): Promise<unknown> {
    const id = ++this.#last
    return await new Promise((resolve, reject) => {
      this.#answers.set(id, { resolve, reject })
      this.#child.send({ id, key, method, args } satisfies Command)
    })
  }

  async join (key: string, joining: Joining): Promise<TestNode> {
    const node = new TestNode(this, key, joining.node)
    this.#nodes.set(key, node)
    await this.ask(key, 'join', joining)
    return node
  }

  freeze (): void {
    this.still = true
    this.#child.kill('SIGSTOP')
  }

  thaw (): void {
    this.#child.kill('SIGCONT')
  }

  async kill (): Promise<void> {
    this.still = true
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}

/** A node, as the suite sees it. */
export class TestNode {
  readonly host: Host
  readonly name: string
  readonly seen: Happening[] = []
  readonly #key: string
  readonly #waiting = new Set<() => void>()

  constructor (host: Host, key: string, name: string) {
    this.host = host
    this.#key = key
    this.name = name
  }

  hear (happening: Happening): void {
    this.seen.push(happening)
    for (const look of this.#waiting) look()
  }

  /** Commands what {@link WorkerNode} can do. */
  async ask<M extends Method> (method: M, ...args: Parameters<WorkerNode[M]>): Promise<Result<M>> {
    return await within(this.host.ask(this.#key, method, ...args) as Promise<Result<M>>, () => `${this.name} did not answer ${method}: ${this}`)
  }

  /** Resolves with what was seen, when it fulfils a condition. */
  async until (what: string, condition: (seen: Happening[]) => boolean): Promise<Happening[]> {
    const fulfilled = new Promise<Happening[]>((resolve) => {
      const look = (): void => {
        if (!condition(this.seen)) return
        this.#waiting.delete(look)
        resolve(this.seen)
      }
      this.#waiting.add(look)
      look()
    })
    return await within(fulfilled, () => `${this.name} never saw ${what}: ${this}`)
  }

  /** Resolves when it has seen a node in a state, for the nth time. */
  async untilNode (node: string, state: 'up' | 'down', times = 1): Promise<Happening> {
    const matching = (): Happening[] => this.seen.filter(({ topic, payload }) => topic === '@node' && payload.node === node && payload.state === state)
    await this.until(`${node} ${state}`, () => matching().length >= times)
    return matching()[times - 1]
  }

  /** Calls a process until it answers: one of two ends may have to hear yet that the other has torn their channel down. */
  async reach (pid: Pid): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        await this.ask('call', pid, 'echo', tries)
        return
      } catch (error) {
        if (tries === 100 || !/FST_PROCESS_CALL_FAILED/.test(String(error))) throw error
      }
    }
  }

  /** In the order seen, one line each. PIDs have the names that are given for them. */
  story (names: Record<string, string> = {}): string[] {
    return this.seen.map(({ topic, payload }) => topic === '@node' ? `${payload.node} ${payload.state}` : `${topic} ${names[payload.pid] ?? payload.pid}: ${payload.reason}`)
  }

  toString (): string {
    return JSON.stringify(this.seen.map(({ topic, payload }) => [topic, payload]))
  }
}

/** A row's engine and nodes. */
export class Scene {
  readonly engine: EngineServer
  readonly #name: EngineName
  readonly #prefix: string
  readonly #hosts = new Set<Host>()
  readonly #nodes: TestNode[] = []

  private constructor (name: EngineName, engine: EngineServer, prefix: string) {
    this.#name = name
    this.engine = engine
    this.#prefix = prefix
  }

  static async open (t: Test, name: EngineName, prefix: string): Promise<Scene> {
    return new Scene(name, await (name === 'nats' ? natsServer(t) : redisServer(t)), prefix)
  }

  /** A node that has joined, and is seen by all others that are not still. @param port where it thinks the engine is */
  async node (name: string, host: Host, port = this.engine.port): Promise<TestNode> {
    this.#hosts.add(host)
    const node = await within(host.join(`${this.engine.port}/${this.#prefix}/${name}/${this.#nodes.length}`, { node: name, engine: this.#name, port, prefix: this.#prefix }), () => `${name} does not join`)
    const others = this.#nodes.filter((other) => !other.host.still && other.name !== name)
    await Promise.all(others.map(async (other) => {
      await other.until(`${name} up`, () => lastState(other, name) === 'up')
      await node.until(`${other.name} up`, () => lastState(node, other.name) === 'up')
    }))
    this.#nodes.push(node)
    return node
  }

  /** From here on only what a fault brings is seen. */
  forget (): void {
    for (const { seen } of this.#nodes) seen.length = 0
  }

  /**
   * A fault that must not last longer than so many milliseconds, nor find a process that stands still by itself.
   * @returns how long it lasted
   */
  async fault (longest: number, fault: () => Promise<void>): Promise<number> {
    await this.#lag()
    const start = performance.now()
    await fault()
    const lasted = performance.now() - start
    if (lasted > longest) throw new TooSlow(`the fault lasted ${Math.round(lasted)} ms`)
    const lag = await this.#lag()
    if (lag > 1500) throw new TooSlow(`a process stood still for ${Math.round(lag)} ms`)
    return lasted
  }

  /** Somebody else, who can reach the engine. @returns what publishes into the inbox of a node */
  async forger (t: Test, node: string, incarnation: number): Promise<(bytes: Uint8Array) => Promise<void>> {
    const { port } = this.engine
    const { transport } = this.#name === 'nats' ? nats({ servers: `127.0.0.1:${port}`, prefix: this.#prefix }) : redis({ host: '127.0.0.1', port, prefix: this.#prefix })
    t.teardown(() => transport.close())
    await transport.open({ state () {} })
    return async (bytes) => {
      if (!transport.publish(`${this.#prefix}.n.${node}.${incarnation.toString(36)}`, bytes)) throw new Error('the engine is away')
      await transport.flush(patience)
    }
  }

  async #lag (): Promise<number> {
    const lags = await Promise.all([...this.#hosts].filter(({ still }) => !still).map((host) => host.ask('', 'lag')))
    return Math.max(...lags as number[])
  }

  async close (): Promise<void> {
    await Promise.all(this.#nodes.filter(({ host }) => !host.still).map((node) => node.ask('close')))
  }
}

function lastState ({ seen }: TestNode, name: string): string | undefined {
  return seen.filter(({ topic, payload }) => topic === '@node' && payload.node === name).at(-1)?.payload.state
}

async function within<T> (promise: Promise<T>, message: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([promise, new Promise<never>((resolve, reject) => { timer = setTimeout(() => { reject(new Error(message())) }, patience) })])
  } finally {
    clearTimeout(timer)
  }
}
