// An operating-system process of the suites, with nodes of a cluster. The test sends commands over
// IPC. The worker reports every message that its processes receive.
import { nats } from '../../../lib/cluster/engines/nats.js'
import { redis } from '../../../lib/cluster/engines/redis.js'
import { createProcesses } from '../../../lib/process/index.js'
import { until } from '../../laps.js'
import { PipeTransport, type HubNews, type Question } from './pipe.js'
import type { ClusterEngine } from '../../../types/cluster.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes, ProcessSystem } from '../../../types/processes.js'
import type { ProcessesOptions, Timer } from '../../../types/options.js'

export type EngineName = 'memory' | 'nats' | 'redis'

/** The node, its engine, and its options. */
export interface Joining {
  readonly node: string
  readonly engine: EngineName
  /** The port of the engine's server. */
  readonly port: number
  readonly prefix: string
  readonly options: Pick<ProcessesOptions, 'mailboxLimit' | 'mailboxBytes'>
}

/** Options of a process of a worker. */
export interface FarOptions {
  readonly trapLinks?: boolean
  readonly link?: Pid
  readonly mailboxLimit?: number
  /** Whether it monitors each client that joins. */
  readonly monitors?: boolean
}

/** A message as a process received it. */
export interface Mail {
  readonly topic: string
  readonly payload: any
  readonly from: Pid | undefined
}

/** An error, without its stack. */
export interface ErrorData {
  readonly name: string
  readonly message: string
  readonly code: string | undefined
  readonly cause?: unknown
}

/** The number of the metadata object in its process, and whether it is deeply frozen. */
export interface Sameness { readonly object: number, readonly frozen: boolean }

/** Sent to the worker. */
export type Command =
  | {
    readonly id: number
    readonly node: string
    readonly method: string
    readonly args: readonly unknown[]
  }
  | { readonly node: string, readonly news: HubNews }

/** Sent by the worker. */
export type Report =
  | { readonly id: number, readonly value: unknown }
  | { readonly id: number, readonly error: ErrorData }
  | {
    readonly mail: ReadonlyArray<{
      readonly pid: Pid
      readonly mail: Mail
      readonly metadata?: Sameness
    }>
  }
  | { readonly pid: Pid, readonly exit: Exit }
  | { readonly node: string, readonly question: Question }

interface Loose { [topic: string]: any }

/** A process, and the state by which a test controls it. */
interface FarProcess {
  readonly self: Process<Loose>
  monitors: boolean
  held: Promise<void> | undefined
  release: () => void
}

const post = (report: Report): void => { process.send!(report) }

/** Mail that is reported to the test in one message at the end of this turn of the event loop. */
let waiting: Array<{ pid: Pid, mail: Mail, metadata?: Sameness }> = []

function flush (): void {
  if (waiting.length > 0) post({ mail: waiting })
  waiting = []
}

function reportMail (pid: Pid, mail: Mail): void {
  if (waiting.length === 0) setImmediate(flush)
  waiting.push({
    pid,
    mail: { ...mail, payload: portable(mail.payload) },
    metadata: sameness(mail.payload?.metadata)
  })
}

const objects = new WeakMap<object, number>()
let known = 0

function sameness (metadata: unknown): Sameness | undefined {
  if (typeof metadata !== 'object' || metadata === null) return undefined
  const object = objects.get(metadata) ?? ++known
  objects.set(metadata, object)
  return { object, frozen: isFrozen(metadata) }
}

function isFrozen (value: unknown): boolean {
  return (
    typeof value !== 'object' ||
    value === null ||
    (Object.isFrozen(value) && Object.values(value).every(isFrozen))
  )
}

export function errorData (error: unknown): ErrorData {
  const { name, message, code, cause } = error as Error & { code?: string }
  return {
    name: String(name),
    message: String(message ?? error),
    code,
    ...(cause !== undefined && { cause: cause instanceof Error ? errorData(cause) : cause })
  }
}

/** @returns the error of an exit as data, because IPC loses its code */
function portable (payload: any): unknown {
  return payload?.error instanceof Error ? { ...payload, error: errorData(payload.error) } : payload
}

/** One node. Every method is a command. */
export class WorkerNode {
  readonly #system: ProcessSystem
  readonly #processes = new Map<Pid, FarProcess>()
  readonly #timers: Timer[] = []

  private constructor (system: ProcessSystem) {
    this.#system = system
  }

  static async join ({ node, options }: Joining, engine: ClusterEngine): Promise<WorkerNode> {
    const system = createProcesses({ node, cluster: engine, closeTimeout: '1s', ...options })
    await system.ready()
    return new WorkerNode(system)
  }

  /** Resolves when the node sees all these nodes up. */
  async sees (names: readonly string[]): Promise<void> {
    const { cluster } = this.#system
    const isUp = (name: string): boolean =>
      cluster!.nodes().some(({ node, state }) => node === name && state === 'up')
    const watching = this.#system.spawn<Loose, []>(async (self) => {
      cluster!.watch(self.pid)
      while (!names.every(isUp)) await self.receive({ topic: '@node' })
    })
    await this.#system.exited(watching)
  }

  /**
   * Spawns a process that reports its mail. It answers `echo` with the payload and `fail` with an
   * error, and ends on `stop` and `throw`. Other calls get no answer.
   */
  async spawn ({ monitors = false, ...options }: FarOptions = {}): Promise<Pid> {
    const { promise, resolve } = withResolvers<Pid>()
    const pid = this.#system.spawn<Loose, []>(async (self) => {
      const far: FarProcess = { self, monitors, held: undefined, release () {} }
      this.#processes.set(self.pid, far)
      resolve(self.pid)
      for await (const message of self.inbox as AsyncIterable<
        Mail & { reply(value: unknown): void, fail(error: unknown): void }
      >) {
        const { topic, payload, from } = message
        if (topic === 'ws.join' && far.monitors) await watched(self, payload.client_pid)
        reportMail(self.pid, { topic, payload, from })
        if (topic === 'echo') message.reply(payload)
        else if (topic === 'fail') {
          message.fail(Object.assign(new Error('it failed'), { code: payload }))
        } else if (topic === 'stop') self.stop(payload)
        else if (topic === 'throw') throw Object.assign(new Error('it broke'), { code: payload })
        while (far.held !== undefined) await far.held
      }
    }, options)
    this.#system.exited(pid).then(
      (exit) => {
        this.#processes.delete(pid)
        flush()
        post({ pid, exit: portable(exit) as Exit })
        // It may have ended before its body ran.
        resolve(pid)
      },
      () => {}
    )
    return await promise
  }

  configure (pid: Pid, monitors: boolean): void {
    const far = this.#processes.get(pid)
    if (far !== undefined) far.monitors = monitors
  }

  hold (pid: Pid): void {
    const far = this.#processes.get(pid)
    if (far === undefined || far.held !== undefined) return
    const { promise, resolve } = withResolvers<void>()
    far.held = promise
    far.release = resolve
  }

  release (pid: Pid): void {
    const far = this.#processes.get(pid)
    if (far === undefined) return
    far.held = undefined
    far.release()
  }

  /** Resolves when a process has handled and reported all its mail, or has ended. */
  async idle (pid: Pid): Promise<void> {
    await until(() => (this.#system.info(pid)?.mailbox ?? 0) === 0)
  }

  /** Calls a method of a process's `self`. */
  callSelf (pid: Pid, method: keyof Process, ...args: unknown[]): unknown {
    const { self } = this.#processes.get(pid)!
    return (self[method] as (...args: unknown[]) => unknown)(...args)
  }

  /** Starts a timer of a process. @returns its number, for {@link cancelTimer} */
  timer (
    pid: Pid,
    method: 'sendAfter' | 'sendEvery',
    ...args: [delay: number, to: Pid, topic: string, payload?: unknown]
  ): number {
    return this.#timers.push(this.#processes.get(pid)!.self[method](...args)) - 1
  }

  cancelTimer (timer: number): void {
    this.#timers[timer].cancel()
  }

  /** Calls a method of the process system. */
  system (
    method: Exclude<keyof Processes, 'names' | 'groups' | 'cluster' | 'node'>,
    ...args: unknown[]
  ): unknown {
    return (this.#system[method] as (...args: unknown[]) => unknown)(...args)
  }

  names (method: 'register' | 'unregister' | 'lookup', ...args: unknown[]): unknown {
    return (this.#system.cluster!.names[method] as (...args: unknown[]) => unknown)(...args)
  }

  groups (method: 'join' | 'leave' | 'members' | 'broadcast', ...args: unknown[]): unknown {
    return (this.#system.cluster!.groups[method] as (...args: unknown[]) => unknown)(...args)
  }

  /** Resolves with the exit of a process. */
  async exited (pid: Pid): Promise<unknown> {
    return portable(await this.#system.exited(pid))
  }

  /** Resolves when a connection has handled all earlier messages, or has ended. */
  async reaches (pid: Pid): Promise<void> {
    await this.#system.call(pid as string, 'ws.control', {}).catch(() => {})
  }

  async close (): Promise<void> {
    await this.#system.close()
  }
}

/** Monitors a remote connection: the monitor is in place when a later call is answered. */
async function watched (self: Process<Loose>, client: Pid): Promise<void> {
  self.monitor(client)
  await self.call(client as string, 'ws.control', {}).catch(() => {})
}

function withResolvers<T> (): { promise: Promise<T>, resolve: (value: T) => void } {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((_resolve) => { resolve = _resolve })
  return { promise, resolve }
}

const nodes = new Map<string, WorkerNode>()
const pipes = new Map<string, PipeTransport>()

function engineOf ({ node, engine, port, prefix }: Joining): ClusterEngine {
  const startTimeout = '60s'
  if (engine === 'nats') return nats({ servers: `127.0.0.1:${port}`, prefix, startTimeout })
  if (engine === 'redis') return redis({ host: '127.0.0.1', port, prefix, startTimeout })
  const transport = new PipeTransport((question) => { post({ node, question }) })
  pipes.set(node, transport)
  return { transport, prefix, timing: 'default', startTimeout }
}

async function runCommand (
  node: string,
  method: string,
  args: readonly unknown[]
): Promise<unknown> {
  if (method === 'join') {
    const joining = args[0] as Joining
    nodes.set(node, await WorkerNode.join(joining, engineOf(joining)))
    return undefined
  }
  return await (
    nodes.get(node)! as unknown as Record<string, (...args: readonly unknown[]) => unknown>
  )[method](...args)
}

process.on('message', (command: Command) => {
  if ('news' in command) {
    pipes.get(command.node)?.handleNews(command.news)
    return
  }
  const { id, node, method, args } = command
  runCommand(node, method, args).then((value) => {
    // Mail that was received before is reported before the answer.
    flush()
    post({ id, value })
  }, (error: unknown) => { post({ id, error: errorData(error) }) })
})
process.on('disconnect', () => { process.exit() })
