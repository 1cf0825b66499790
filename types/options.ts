import type { ClusterEngine } from './cluster.js'
import type { Duration, Pid } from './pid.js'

/** Options of `createProcesses`. */
export interface ProcessesOptions {
  /** The name of this node in its PIDs: `[A-Za-z0-9_-]{1,64}`. @defaultValue 'local' */
  node?: string
  /** How many messages a mailbox may hold. Further ones are refused. @defaultValue 10000 */
  mailboxLimit?: number
  /** Bytes of client data in a mailbox above which its sockets are paused. @defaultValue 16 MiB */
  mailboxBytes?: number
  /** How long `close` lets processes clean up. @defaultValue '5s' */
  closeTimeout?: Duration
  /**
   * How many ends of processes, and how many of connections, `explain` remembers. 0: none. Ends of
   * one cause count once. An end takes about 400 bytes.
   * @defaultValue 512
   */
  keepEnds?: number
  /** Logs to this logger. @defaultValue none */
  logger?: Logger
  /** Makes this system a node of a cluster. It needs the option `node`. @defaultValue none */
  cluster?: ClusterEngine
}

/** The part of pino's logger that this package uses. */
export interface Logger {
  trace: LogFn
  debug: LogFn
  info: LogFn
  warn: LogFn
  error: LogFn
  fatal: LogFn
  child (bindings: Record<string, unknown>): Logger
}

/** A log method of {@link Logger}. */
export interface LogFn {
  (obj: unknown, message?: string, ...args: unknown[]): void
  (message: string, ...args: unknown[]): void
}

/** How to start a process. All options take effect before the body runs. */
export interface SpawnOptions<A extends unknown[] = unknown[]> {
  /** The name of the process. If it is taken, nothing starts: `FST_PROCESS_NAME_TAKEN`. */
  name?: string
  /** The arguments of the body after `self`. */
  args?: A
  /**
   * A process to link with, by PID or name. If it is dead, the new process ends with `noproc`
   * before its body starts.
   */
  link?: Pid | string
  /**
   * A process that gets `@exit` when the new one ends, by PID or name. If it is dead, nothing
   * starts: `FST_PROCESS_NOT_ALIVE`.
   */
  monitor?: Pid | string
  /** How many messages the mailbox may hold. @defaultValue the system's `mailboxLimit` */
  mailboxLimit?: number
  /**
   * Whether the failure of a linked process arrives as `@link_down`. Otherwise it ends this
   * process.
   * @defaultValue false
   */
  trapLinks?: boolean
}

/** The options of `spawn`. They are required, with `args`, if the body takes arguments. */
export type SpawnArgs<A extends unknown[]> =
  [] extends A ? [options?: SpawnOptions<A>] : [options: SpawnOptions<A> & { args: A }]

/** Options of `call`. */
export interface CallOptions {
  /** How long to wait for the answer. @defaultValue '5s' */
  timeout?: Duration
  /** When it aborts, the call rejects with its reason. */
  signal?: AbortSignal
}

/** Options of `drain`. Each time is at most a day. */
export interface DrainOptions {
  /** The time over which the connections are closed. @defaultValue '30s' */
  over?: Duration
  /**
   * The time before that, in which everything goes on: load balancers learn late that a server is
   * not ready any more.
   * @defaultValue '0s'
   */
  delay?: Duration
}

/** Options of `receive`. */
export interface ReceiveOptions<K extends string = string> {
  /** After this time `receive` resolves with undefined. @defaultValue no limit */
  timeout?: Duration
  /** The topics to receive. Other messages keep their place in the mailbox. */
  topic?: K | readonly K[]
}

/** A pending `sendAfter` or `sendEvery`. */
export interface Timer {
  /** Stops the timer. Idempotent. */
  cancel (): void
}

/** The delay of restarts. The n-th in a row, from 0, waits `initial * factor^n`, at most `max`. */
export interface Backoff {
  initial: Duration
  max: Duration
  /** @defaultValue 2 */
  factor?: number
  /** Random share of the delay, 0 to 1, that is added or subtracted. @defaultValue 0.1 */
  jitter?: number
}
