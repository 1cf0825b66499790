// Nodes in operating-system processes of their own, as a test sees them.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { program } from '../../program.js'
import { HubEnd } from './pipe.js'
import type {
  Command,
  FarOptions,
  Joining,
  Mail,
  Report,
  Sameness,
  Told,
  WorkerNode
} from './worker.js'
import type { MemoryHub } from '../../../lib/cluster/engines/memory.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

export type { FarOptions, Mail }

type Method = Exclude<keyof WorkerNode, symbol>

/** What a test gives; tap's own `t` fits. */
export interface Teardown {
  teardown (task: () => unknown): void
}

/** An operating-system process. */
export class Host {
  readonly #child: ChildProcess
  readonly #hub: MemoryHub
  readonly #answers = new Map<
    number,
    { resolve: (value: unknown) => void, reject: (error: Error) => void }
  >()

  readonly #processes = new Map<Pid, FarProcess>()
  /** What was told of processes that the test does not know yet. */
  readonly #early = new Map<Pid, Array<(one: FarProcess) => void>>()
  readonly #pipes = new Map<string, HubEnd>()
  #last = 0

  constructor (t: Teardown, hub: MemoryHub) {
    this.#hub = hub
    // Nothing of the test runner, which puts itself into every child's environment: what is killed has nothing to tell it.
    this.#child = spawn(
      'env',
      [
        '-u',
        'NODE_OPTIONS',
        '-u',
        'NODE_V8_COVERAGE',
        process.execPath,
        ...program('test/cluster/apart/worker.ts')
      ],
      {
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        serialization: 'advanced'
      }
    )
    this.#child.on('message', (report: Report) => {
      this.#hear(report)
    })
    this.#child.once('exit', () => {
      for (const { reject } of this.#answers.values()) reject(new Error('its process has ended'))
    })
    t.teardown(() => this.kill())
  }

  #hear (report: Report): void {
    if ('mail' in report) {
      for (const { pid, mail, metadata } of report.mail) {
        this.#of(pid, (one) => {
          one.hear(mail, metadata)
        })
      }
    } else if ('exit' in report) {
      this.#of(report.pid, (one) => {
        one.hasEnded(report.exit)
      })
    } else if ('question' in report) this.#pipes.get(report.node)?.hear(report.question)
    else {
      const answer = this.#answers.get(report.id)
      this.#answers.delete(report.id)
      if ('error' in report) answer?.reject(errorOf(report.error))
      else answer?.resolve(report.value)
    }
  }

  #of (pid: Pid, task: (one: FarProcess) => void): void {
    const one = this.#processes.get(pid)
    if (one !== undefined) task(one)
    else this.#early.set(pid, [...(this.#early.get(pid) ?? []), task])
  }

  /** What was told of it from the start on. */
  know (one: FarProcess): void {
    this.#processes.set(one.pid, one)
    for (const task of this.#early.get(one.pid) ?? []) task(one)
    this.#early.delete(one.pid)
  }

  async ask (node: string, method: string, ...args: unknown[]): Promise<unknown> {
    const id = ++this.#last
    return await new Promise((resolve, reject) => {
      this.#answers.set(id, { resolve, reject })
      this.#child.send({ id, node, method, args } satisfies Command)
    })
  }

  /** A node of it that has joined. */
  async join (joining: Joining): Promise<FarNode> {
    const { node } = joining
    if (joining.engine === 'memory') {
      this.#pipes.set(
        node,
        new HubEnd(this.#hub, (news) => {
          if (this.#child.connected) this.#child.send({ node, news } satisfies Command)
        })
      )
    }
    await this.ask(node, 'join', joining)
    return new FarNode(this, node)
  }

  async kill (): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGKILL')
    await once(this.#child, 'exit')
  }
}

function errorOf ({ name, message, code, cause }: Told): Error {
  return Object.assign(new Error(message), { name, code, cause })
}

/** A node. */
export class FarNode {
  readonly name: string
  readonly #host: Host

  constructor (host: Host, name: string) {
    this.#host = host
    this.name = name
  }

  /** Commands what {@link WorkerNode} can do. Commands are obeyed in their order. */
  async ask (method: Method, ...args: unknown[]): Promise<any> {
    return await this.#host.ask(this.name, method, ...args)
  }

  async spawn (options: FarOptions = {}): Promise<FarProcess> {
    const one = new FarProcess(this, await this.ask('spawn', options))
    this.#host.know(one)
    return one
  }

  /** Tells of the end of a connection. Resolves when its monitor is in place. */
  async watch (connection: Pid): Promise<{ readonly exit: Promise<Exit> }> {
    const exit = this.ask('exited', connection)
    // Whoever waits for it gets it; who does not is not disturbed by the end of the test.
    exit.catch(() => {})
    await this.ask('reaches', connection)
    return { exit }
  }
}

/** A process there. */
export class FarProcess {
  readonly pid: Pid
  readonly mail: Mail[] = []
  readonly exited: Promise<Exit>
  readonly #node: FarNode
  readonly #metadata = new Map<number, object>()
  #ended!: (exit: Exit) => void
  #look = (): void => {}
  /** Is given what comes from now on. */
  take: ((mail: Mail) => void) | undefined

  constructor (node: FarNode, pid: Pid) {
    this.#node = node
    this.pid = pid
    this.exited = new Promise((resolve) => {
      this.#ended = resolve
    })
  }

  hear (mail: Mail, metadata: Sameness | undefined): void {
    if (metadata !== undefined) mail.payload.metadata = this.#same(mail.payload.metadata, metadata)
    this.mail.push(mail)
    this.take?.(mail)
    this.#look()
  }

  /** What was one object there is one here, and frozen if it was. */
  #same (value: object, { object, frozen }: Sameness): object {
    const same = this.#metadata.get(object) ?? (frozen ? freeze(value) : value)
    this.#metadata.set(object, same)
    return same
  }

  hasEnded (exit: Exit): void {
    this.#ended(exit)
  }

  /** The first messages, when there are so many. */
  async until (count: number): Promise<Mail[]> {
    while (this.mail.length < count) {
      await new Promise<void>((resolve) => {
        this.#look = resolve
      })
    }
    return this.mail.slice(0, count)
  }

  get topics (): string[] {
    return this.mail.map(({ topic }) => topic)
  }

  /** What it does by itself: a method of its `self`. */
  async does (method: string, ...args: unknown[]): Promise<any> {
    return await this.#node.ask('does', this.pid, method, ...args)
  }

  async timer (
    method: 'sendAfter' | 'sendEvery',
    ...args: unknown[]
  ): Promise<{ cancel(): Promise<void> }> {
    const timer = await this.#node.ask('timer', this.pid, method, ...args)
    return {
      cancel: async () => {
        await this.#node.ask('cancelTimer', timer)
      }
    }
  }

  async configure (monitors: boolean): Promise<void> {
    await this.#node.ask('configure', this.pid, monitors)
  }

  async hold (): Promise<void> {
    await this.#node.ask('hold', this.pid)
  }

  async release (): Promise<void> {
    await this.#node.ask('release', this.pid)
  }

  async idle (): Promise<void> {
    await this.#node.ask('idle', this.pid)
  }

  async alive (): Promise<boolean> {
    return await this.#node.ask('system', 'alive', this.pid)
  }

  async mailbox (): Promise<number> {
    return (await this.#node.ask('system', 'info', this.pid))?.mailbox ?? 0
  }

  async exit (reason?: string): Promise<void> {
    await this.#node.ask('system', 'exit', this.pid, reason)
  }
}

function freeze (value: unknown): object {
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value)) {
    for (const part of Object.values(value)) freeze(part)
    Object.freeze(value)
  }
  return value as object
}
