// Target processes of the connection suites, and other users of the connections, in this
// operating-system process.
import type { ClusterEngine } from '../../../../types/cluster.js'
import type { Exit } from '../../../../types/messages.js'
import type { Pid } from '../../../../types/pid.js'
import type { Process, Processes } from '../../../../types/processes.js'

/** A recorded message. */
export interface Kept { topic: string, payload: any, from: Pid | undefined }

export interface HomeOptions {
  /** Whether it monitors each client that joins. */
  readonly monitors: boolean
  readonly mailboxLimit?: number
  /** Called with each message. A local process awaits it before the next message. */
  take (kept: Kept): unknown
}

/** A process that reads its messages. */
export interface Home {
  readonly pid: Pid
  readonly exited: Promise<Exit>
  /** Lets it read at most one more message until {@link release}. */
  hold (): void
  release (): void
  alive (): boolean | Promise<boolean>
  /** The length of its mailbox. */
  mailbox (): number | Promise<number>
  /** Resolves when it has read all messages from the node of the sockets, or has ended. */
  idle (): Promise<void>
  /** Resolves when the node of the connection has received all earlier frames of its node. */
  reaches (connection: Pid): Promise<void>
}

/**
 * Other users of the connections. Their operations resolve when they took effect, because they have
 * no order with operations of the node of the sockets.
 */
export interface Others {
  send(to: Pid, topic: string, payload?: unknown): boolean | Promise<boolean>
  call(to: Pid, topic: string, payload?: unknown): Promise<unknown>
  exit(to: Pid, reason?: string): boolean | Promise<boolean>
  cancel(to: Pid, reason?: string): boolean | Promise<boolean>
  /** Monitors a connection. Resolves when the monitor is in place. */
  watch(pid: Pid): Promise<{ readonly exit: Promise<Exit> }>
  /** Starts a process that is linked with a connection. */
  linked(
    to: Pid
  ): Promise<{
    readonly pid: Pid
    readonly exited: Promise<Exit>
    fail(): unknown
    exit(reason: string): unknown
  }>
}

/** The nodes of a rig, apart from the node of its sockets. */
export interface Neighbours {
  readonly engine: ClusterEngine
  /** The name of the node of the sockets. */
  readonly node: string
  /** Resolves when all nodes see each other. */
  meet (sockets: Processes): Promise<void>
  home (options: HomeOptions): Home
  others: Others
}

/** Resolves when the targets' node has received all earlier frames of the sockets' node. */
export type Barrier = () => Promise<void>

/** A process in this operating-system process. With a barrier it is on another node. */
export class NearHome implements Home {
  readonly pid: Pid
  readonly exited: Promise<Exit>
  readonly #processes: Processes
  readonly #barrier: Barrier | undefined
  #held: Promise<void> | undefined
  #release = (): void => {}

  constructor (
    processes: Processes,
    { monitors, mailboxLimit, take }: HomeOptions,
    barrier?: Barrier
  ) {
    const home = this
    this.#processes = processes
    this.#barrier = barrier
    this.pid = processes.spawn(
      async function keeper_ (self) {
        for await (const { topic, payload, from } of self.inbox as AsyncIterable<Kept>) {
          if (topic === 'ws.join' && monitors) await home.#monitor(self, payload.client_pid)
          // Awaits only promises, so that messages are read as fast as possible.
          const result = take({ topic, payload, from })
          if (result !== undefined) await result
          if (home.#held !== undefined) await home.#held
        }
      },
      { mailboxLimit }
    )
    this.exited = processes.exited(this.pid)
  }

  /** A remote monitor is in place when a later request was answered. */
  #monitor (self: Process<any>, client: Pid): Promise<void> | void {
    self.monitor(client)
    if (this.#barrier !== undefined) return reaches(self, client)
  }

  hold (): void {
    this.#held ??= new Promise((resolve) => {
      this.#release = resolve
    })
  }

  release (): void {
    this.#held = undefined
    this.#release()
  }

  alive (): boolean {
    return this.#processes.alive(this.pid)
  }

  mailbox (): number {
    return this.#processes.info(this.pid)?.mailbox ?? 0
  }

  async idle (): Promise<void> {
    await this.#barrier?.()
    while (this.mailbox() > 0) await new Promise(setImmediate)
    await new Promise(setImmediate)
  }

  async reaches (connection: Pid): Promise<void> {
    if (this.#barrier !== undefined) await reaches(this.#processes, connection)
  }
}

async function reaches (who: Pick<Processes, 'call'>, connection: Pid): Promise<void> {
  await who.call(connection as string, 'ws.control', {}).catch(() => {})
}

/** Other users in this operating-system process. `away`: on another node. */
export function nearOthers (processes: Processes, away = false): Others {
  return {
    send: (to, topic, payload) => processes.send(to as string, topic, payload),
    call: (to, topic, payload) => processes.call(to as string, topic, payload),
    exit: (to, reason) => processes.exit(to, reason),
    cancel: (to, reason) => processes.cancel(to, reason),
    async watch (pid) {
      const exit = processes.exited(pid)
      if (away) await reaches(processes, pid)
      return { exit }
    },
    async linked (to) {
      const pid = processes.spawn<{ fail: undefined }, []>(async (self) => {
        await self.receive({ topic: 'fail' })
        throw new Error('secret')
      }, { link: to })
      if (away) await reaches(processes, to)
      return {
        pid,
        exited: processes.exited(pid),
        fail: () => processes.send(pid as string, 'fail'),
        exit: (reason) => processes.exit(pid, reason)
      }
    }
  }
}
