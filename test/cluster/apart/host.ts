// The test's side of operating-system processes, their nodes, and the processes on these nodes.
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
  ErrorData,
  WorkerNode
} from './worker.js'
import type { MemoryHub } from '../../../lib/cluster/engines/memory.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

export type { FarOptions, Mail }

type Method = Exclude<keyof WorkerNode, symbol>

/** The part of tap's `t` that a host uses. */
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
  /** Reports about processes whose PID the test does not know yet. */
  readonly #early = new Map<Pid, Array<(one: FarProcess) => void>>()
  readonly #pipes = new Map<string, HubEnd>()
  #last = 0

  constructor (t: Teardown, hub: MemoryHub) {
    this.#hub = hub
    // Removes the variables of the test runner: a killed process cannot report to it.
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
      this.#handleReport(report)
    })
    this.#child.once('exit', () => {
      for (const { reject } of this.#answers.values()) reject(new Error('its process has ended'))
    })
    t.teardown(() => this.kill())
  }

  #handleReport (report: Report): void {
    if ('mail' in report) {
      for (const { pid, mail, metadata } of report.mail) {
        this.#whenKnown(pid, (one) => {
          one.recordMail(mail, metadata)
        })
      }
    } else if ('exit' in report) {
      this.#whenKnown(report.pid, (one) => {
        one.recordExit(report.exit)
      })
    } else if ('question' in report) this.#pipes.get(report.node)?.handleQuestion(report.question)
    else {
      const answer = this.#answers.get(report.id)
      this.#answers.delete(report.id)
      if ('error' in report) answer?.reject(errorOf(report.error))
      else answer?.resolve(report.value)
    }
  }

  #whenKnown (pid: Pid, task: (one: FarProcess) => void): void {
    const one = this.#processes.get(pid)
    if (one !== undefined) task(one)
    else this.#early.set(pid, [...(this.#early.get(pid) ?? []), task])
  }

  /** Registers a process, and hands over the reports that came before. */
  addProcess (one: FarProcess): void {
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

  /** Starts a node in the process, and waits until it has joined. */
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

function errorOf ({ name, message, code, cause }: ErrorData): Error {
  return Object.assign(new Error(message), { name, code, cause })
}

/** The test's side of a node. */
export class FarNode {
  readonly name: string
  readonly #host: Host

  constructor (host: Host, name: string) {
    this.#host = host
    this.name = name
  }

  /** Calls a method of {@link WorkerNode} in the node's process. Calls are handled in order. */
  async ask (method: Method, ...args: unknown[]): Promise<any> {
    return await this.#host.ask(this.name, method, ...args)
  }

  async spawn (options: FarOptions = {}): Promise<FarProcess> {
    const one = new FarProcess(this, await this.ask('spawn', options))
    this.#host.addProcess(one)
    return one
  }

  /** Monitors a connection. Resolves when the monitor is in place. */
  async watch (connection: Pid): Promise<{ readonly exit: Promise<Exit> }> {
    const exit = this.ask('exited', connection)
    // A test that does not wait for the exit must not fail when its host ends.
    exit.catch(() => {})
    await this.ask('reaches', connection)
    return { exit }
  }
}

/** The test's side of a process on a node. */
export class FarProcess {
  readonly pid: Pid
  readonly mail: Mail[] = []
  readonly exited: Promise<Exit>
  readonly #node: FarNode
  readonly #metadata = new Map<number, object>()
  #ended!: (exit: Exit) => void
  #look = (): void => {}
  /** Called with each message that arrives from now on. */
  onMail: ((mail: Mail) => void) | undefined

  constructor (node: FarNode, pid: Pid) {
    this.#node = node
    this.pid = pid
    this.exited = new Promise((resolve) => {
      this.#ended = resolve
    })
  }

  recordMail (mail: Mail, metadata: Sameness | undefined): void {
    if (metadata !== undefined) mail.payload.metadata = this.#same(mail.payload.metadata, metadata)
    this.mail.push(mail)
    this.onMail?.(mail)
    this.#look()
  }

  /** @returns one object here for each object there, frozen if that was frozen */
  #same (value: object, { object, frozen }: Sameness): object {
    const same = this.#metadata.get(object) ?? (frozen ? freeze(value) : value)
    this.#metadata.set(object, same)
    return same
  }

  recordExit (exit: Exit): void {
    this.#ended(exit)
  }

  /** Resolves with the first `count` messages when they have arrived. */
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

  /** Calls a method of the process's `self`. */
  async callSelf (method: string, ...args: unknown[]): Promise<any> {
    return await this.#node.ask('callSelf', this.pid, method, ...args)
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
