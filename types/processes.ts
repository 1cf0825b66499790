import type {
  Exit,
  ExitReason,
  Handlers,
  Message,
  MessageUnder,
  PayloadAndOptions,
  PayloadArgs,
  ReplyFor,
  TopicFor
} from './messages.js'
import type { Cluster, ClusterEngine } from './cluster.js'
import type { Duration, Monitor, Pid, Topics } from './pid.js'

/** The part of pino's logger that is used here. */
export interface Logger {
  trace: LogFn
  debug: LogFn
  info: LogFn
  warn: LogFn
  error: LogFn
  fatal: LogFn
  child (bindings: Record<string, unknown>): Logger
}

/** @see {@link Logger} */
export interface LogFn {
  (obj: unknown, message?: string, ...args: unknown[]): void
  (message: string, ...args: unknown[]): void
}

/**
 * What a process does: runs until it returns or throws. Its state is its closure; what stands after
 * its loop, or after `await self.serve(…)`, is its clean-up.
 */
export type ProcessBody<T extends Topics = {}, A extends unknown[] = []> =
  (self: Process<T>, ...args: A) => unknown

/** How to start a process. What is given here is in place before the body runs. */
export interface SpawnOptions<A extends unknown[] = unknown[]> {
  /** Registered for the process; `FST_PROCESS_NAME_TAKEN` and nothing starts where it is taken. */
  name?: string
  /** Handed to the body after `self`. */
  args?: A
  /** A process to link with, by PID or name. Where it is dead, the new one ends with `noproc` before it starts. */
  link?: Pid | string
  /** A process that is told of the end, by `@exit`; by PID or name. `FST_PROCESS_NOT_ALIVE` where it is dead. */
  monitor?: Pid | string
  /** Messages its mailbox may hold. @defaultValue the system's `mailboxLimit` */
  mailboxLimit?: number
  /** Receive a linked process's failure as `@link_down` instead of ending with it. @defaultValue false */
  trapLinks?: boolean
}

/** The options of `spawn`: a body that takes arguments needs them in `args`. */
export type SpawnArgs<A extends unknown[]> =
  [] extends A ? [options?: SpawnOptions<A>] : [options: SpawnOptions<A> & { args: A }]

/** Options of `call`. */
export interface CallOptions {
  /** @defaultValue '5s' */
  timeout?: Duration
  /** Rejects the call with its reason when it aborts. */
  signal?: AbortSignal
}

/** Options of `receive`. */
export interface ReceiveOptions<K extends string = string> {
  /** Resolve with undefined after this long; absent: wait for ever. */
  timeout?: Duration
  /** Only messages of these topics; the others keep their place in the mailbox. */
  topic?: K | readonly K[]
}

/** What `receive` resolves with: a message of the topics asked for, or undefined where it may time out. */
type Received<T extends Topics, O> =
  | (O extends { topic: infer K }
    ? MessageUnder<T, (K extends readonly (infer E)[] ? E : K) & string>
    : Message<T>)
  | (O extends { timeout?: infer D }
    ? unknown extends D
      ? never
      : D extends undefined
        ? never
        : undefined
    : never)

/** A pending `sendAfter` or `sendEvery`. */
export interface Timer {
  /** Stops it. Idempotent. */
  cancel (): void
}

/**
 * Registered names, usable wherever a PID is: 1 to 256 bytes of UTF-8 without control characters,
 * not beginning with `@` or `{`, and not of the shape of a PID (`<digits>@<node>.<incarnation>`).
 */
export interface Names {
  /**
   * Gives a living process or connection of this node a name. It may have several; they are free
   * again when it ends.
   * @throws `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_NAME_TAKEN`, `FST_PROCESS_NOT_ALIVE`
   */
  register (name: string, pid: string): void
  /** Frees a name. @returns whether it was registered */
  unregister (name: string): boolean
  lookup (name: string): Pid | undefined
}

/** Options of `groups.broadcast`. */
export interface BroadcastOptions {
  /** A member that is left out, by PID or name. */
  except?: Pid | string
}

/** Process groups, as OTP's `pg`: a member that joined twice leaves twice. */
export interface Groups {
  /**
   * @returns false when `pid` is not alive
   * @throws `FST_PROCESS_INVALID_NAME` (not 1 to 256 bytes of UTF-8 without control characters), `FST_PROCESS_INVALID_PID`
   */
  join (group: string, pid: string): boolean
  /** @returns false when it was no member */
  leave (group: string, pid: string): boolean
  /** Each member once, in the order they joined. */
  members (group: string): Pid[]
  /** The groups with a member. */
  list (): string[]
  /**
   * Sends to each member once; a payload for several connections is framed once.
   * @returns how many accepted it
   * @throws `FST_PROCESS_INVALID_TOPIC`, `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_INVALID_PID` (of `except`)
   */
  broadcast<K extends string> (
    group: string, topic: TopicFor<{}, K>, ...args: PayloadAndOptions<{}, K, BroadcastOptions>
  ): number
  /**
   * Tells `pid` of each later change by `@group`. While its mailbox is full, changes that wait there
   * are merged into one message.
   * @returns the members before the first change
   * @throws `FST_PROCESS_NOT_ALIVE`
   */
  watch (group: string, pid: string): Pid[]
  /** Ends a {@link watch}, and takes back what of it waits in the mailbox (as OTP's `pg:demonitor`). */
  unwatch (group: string, pid: string): void
}

/** What `info` tells of processes and connections alike. */
interface CommonInfo {
  readonly pid: Pid
  readonly names: string[]
  readonly links: Pid[]
  /** The PIDs that it monitors. */
  readonly monitors: Pid[]
  readonly groups: string[]
  /** Milliseconds since it started. */
  readonly uptime: number
  /** Messages that wait in its mailbox. A connection has none: see `buffered`. */
  readonly mailbox: number
  /** `running` its code, `waiting` for mail, or `exiting` (told to stop, cleaning up). */
  readonly status: 'running' | 'waiting' | 'exiting'
}

/** `info` of a process with a body, or of a supervisor. It has none of a connection's own fields. */
export interface BodyInfo extends CommonInfo, OnlyConnections {
  readonly kind: 'process' | 'supervisor'
  /** The name of the body's function; for a supervisor its name, or `supervisor`. */
  readonly label: string
}

/** `info` of a connection. */
export interface ConnectionInfo extends CommonInfo {
  readonly kind: 'ws'
  readonly label: 'ws'
  /** The process that gets its client's messages. */
  readonly target: Pid
  /** Bytes that wait for the client. */
  readonly buffered: number
  /** Frames that were dropped by `overflow: 'drop'`. */
  readonly dropped: number
  /** Messages that came from the client. */
  readonly messages: number
  /** Whether the socket is not being read because the target's mailbox is full. */
  readonly paused: boolean
}

/** The fields that only connections have: absent, so that they can be read before `kind` is. */
type OnlyConnections = {
  readonly [K in 'target' | 'buffered' | 'dropped' | 'messages' | 'paused']?: undefined
}

/** What `info` returns; `kind` tells which. */
export type ProcessInfo = BodyInfo | ConnectionInfo

/** Counters since the start, for dashboards and tests. */
export interface ProcessStats {
  /** Processes and connections alive now. */
  readonly alive: number
  readonly spawned: number
  /** How many ended, by reason. After 100 different reasons the rest is counted as `other`. */
  readonly exited: Record<string, number>
  /** Messages accepted. */
  readonly sent: number
  /** Messages a process took from its mailbox, or a connection handed to its socket. */
  readonly delivered: number
  /** Messages to nobody, under a topic nobody handles, or left in the mailbox of an ended process. */
  readonly deadLetters: number
  /** Messages refused: mailbox or socket full, process stopping, payload not sendable. */
  readonly refused: number
  /**
   * The longest turn in milliseconds, since the start: code that blocks the thread. A turn is a slice
   * of 16 messages for handlers; bodies that loop over their inbox are measured up to 16 together.
   * What code does after it has awaited something else than its mail is not measured.
   */
  readonly longestTurn: number
}

/** Where a supervisor's restarts wait; n-th restart in a row: `initial * factor^n`, at most `max`. */
export interface Backoff {
  initial: Duration
  max: Duration
  /** @defaultValue 2 */
  factor?: number
  /** Share of the delay by which it is randomly longer or shorter, 0 to 1. @defaultValue 0.1 */
  jitter?: number
}

/** As OTP's supervisor flags and child specifications. */
export interface SupervisorSpec {
  name?: string
  /** @defaultValue 'one_for_one' */
  strategy?: 'one_for_one' | 'one_for_all' | 'rest_for_one'
  /** More restarts than this within `period` end the supervisor with `restart_intensity`. @defaultValue 3 */
  maxRestarts?: number
  /** Running time; waiting in `backoff` does not count. @defaultValue '5s' */
  period?: Duration
  /** @defaultValue no delay */
  backoff?: Backoff
  children?: readonly ChildSpec[]
}

/** What every child has. */
interface ChildCommon {
  /** Unique among the children. */
  id: string
  name?: string
  /** `transient`: only after an abnormal end; `temporary`: never. @defaultValue 'permanent' */
  restart?: 'permanent' | 'transient' | 'temporary'
  /** How long a cancelled child may clean up before it is ended. @defaultValue '5s' */
  shutdown?: Duration
}

/** A child that is a process. */
interface BodyChild extends ChildCommon {
  /** Messages its mailbox may hold. @defaultValue the system's `mailboxLimit` */
  mailboxLimit?: number
  /** As in {@link SpawnOptions}. @defaultValue false */
  trapLinks?: boolean
}

/** A child whose body takes nothing but `self`. */
export interface PlainChild extends BodyChild {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a list of children mixes bodies of any topics; each was checked where it was written
  start: ProcessBody<any, []>
  args?: undefined
}

/** A child whose body takes arguments. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a list of children mixes bodies of any arguments
export interface ChildWithArgs<A extends unknown[] = any> extends BodyChild {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- as above
  start: ProcessBody<any, A>
  /** Handed to the body after `self`, at each start. */
  args: readonly [...A]
}

/** A supervisor below this one. The child's `name` comes before the `name` of `start`. */
export interface SupervisorChild extends ChildCommon {
  start: SupervisorSpec
  args?: undefined
  mailboxLimit?: undefined
  trapLinks?: undefined
}

/** One child of a supervisor. */
export type ChildSpec = SupervisorChild | PlainChild | ChildWithArgs

/** The state of one child. `pid` is undefined while it waits for a restart or has ended for good. */
export interface ChildInfo {
  readonly id: string
  readonly pid: Pid | undefined
  readonly restarts: number
}

/** A child with the arguments that its body takes. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a child's body may have any topics
export type ChildOf<A extends unknown[]> = BodyChild & { start: ProcessBody<any, A> } &
  ([] extends A ? { args?: readonly [...A] } : { args: readonly [...A] })

/** A running supervisor. */
export interface Supervisor {
  readonly pid: Pid
  /**
   * Starts one more child, after the others. The id of a child that has ended for good may be used again.
   * @throws `FST_PROCESS_INVALID_SPEC` (also an id in use), `FST_PROCESS_NAME_TAKEN`, `FST_PROCESS_NOT_ALIVE`
   */
  startChild<A extends unknown[] = []> (child: ChildOf<A> | SupervisorChild): Pid
  /**
   * Cancels a child, waits its `shutdown`, ends it, and forgets it.
   * Rejects with `FST_PROCESS_NOT_ALIVE` where there is no such child.
   */
  stopChild (id: string): Promise<void>
  children (): ChildInfo[]
}

/** What a process and code outside of one can both do. */
export interface Sending {
  /** This node's name inside PIDs. */
  readonly node: string
  /** Other nodes; undefined without the option `cluster`, and until the system has joined. */
  readonly cluster: Cluster | undefined
  /**
   * Sends a message. `to` is a PID or a name. Payloads go by reference.
   * @returns true: accepted. false: nobody there, mailbox full, dropped, or a payload that cannot be sent
   * @throws `FST_PROCESS_INVALID_TOPIC`: not 1 to 128 characters, or it begins with `@`
   */
  send<T extends Topics = {}, K extends string = string> (
    to: Pid<T> | string, topic: TopicFor<T, K>, ...payload: PayloadArgs<T, K>
  ): boolean
  /**
   * Sends and waits for `reply` or `fail`. Rejects with
   * - `FST_PROCESS_NOT_ALIVE`: nobody there, nothing was delivered;
   * - `FST_PROCESS_REFUSED`: its mailbox is full, nothing was delivered;
   * - `FST_PROCESS_CALL_FAILED`: it failed the call, or ended before it answered (outcome unknown);
   * - `FST_PROCESS_CALL_TIMEOUT`: no answer in time (outcome unknown: the message, or the frame of a `ws.send`, may
   *   still be delivered);
   * - the reason of `options.signal`.
   * @throws `FST_PROCESS_INVALID_TOPIC`, `FST_PROCESS_INVALID_DURATION` (as rejections)
   */
  call<T extends Topics = {}, K extends string = string> (
    to: Pid<T> | string, topic: TopicFor<T, K>, ...args: PayloadAndOptions<T, K, CallOptions>
  ): Promise<ReplyFor<T, K>>
  /**
   * Ends a process at once, whatever its code is doing; it cannot be trapped. `kill` becomes the
   * reason `killed`. What the code does afterwards is refused. Unlike in OTP, `normal` ends it, too.
   * @param reason 1 to 256 characters. @defaultValue 'shutdown'
   * @returns whether it was alive
   */
  exit (to: string, reason?: string): boolean
  /**
   * Asks a process to stop: its signal fires, `@cancel` is its last message, then its inbox ends. It
   * ends with reason `shutdown` when its body settles.
   * @throws `FST_PROCESS_INVALID_REASON`
   * @returns whether it was alive
   */
  cancel (to: string, reason?: string): boolean
  alive (to: string): boolean
  info (to: string): ProcessInfo | undefined
  /** All PIDs of this node, oldest first. */
  list (): Pid[]
  /**
   * Resolves exactly once with how a process ended; at once with `noproc` for the dead, also for a
   * name that nobody has. Rejects with the reason of `options.signal`, and for wrong arguments.
   */
  exited (to: string, options?: { signal?: AbortSignal }): Promise<Exit>
  readonly names: Names
  readonly groups: Groups
  /** Starts a supervisor and its children. @throws `FST_PROCESS_INVALID_SPEC`, `FST_PROCESS_NAME_TAKEN` */
  supervise (spec: SupervisorSpec): Supervisor
}

/** `fastify.processes`, or what `createProcesses` returns. */
export interface Processes extends Sending {
  /**
   * Starts a process; its body starts in a later turn. Nothing starts when it throws.
   * @throws `FST_PROCESS_NAME_TAKEN`, `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_INVALID_PID`,
   * `FST_PROCESS_INVALID_SPEC`, `FST_PROCESS_NOT_ALIVE` (for `monitor`), `FST_PROCESS_CLOSING`
   */
  spawn<T extends Topics = {}, A extends unknown[] = []>(
    body: ProcessBody<T, A>,
    ...options: SpawnArgs<A>
  ): Pid<T>
  stats(): ProcessStats
}

/** A process system of its own, as `createProcesses` makes it. */
export interface ProcessSystem extends Processes {
  /**
   * Resolves when the system has joined its cluster; at once without one. Nothing can be spawned
   * before (`FST_CLUSTER_NOT_READY`): a PID names its node's incarnation, which the engine confirms.
   * @throws `FST_CLUSTER_UNAVAILABLE`, `FST_PROCESS_CLOSING` when it was closed before, and what else the engine
   * rejects with (as rejections)
   */
  ready (): Promise<void>
  /**
   * Cancels every process, supervisors first and children in reverse (the others when those are gone,
   * or after half of `closeTimeout`), and ends those left after `closeTimeout`. From the call on
   * nothing new starts. Resolves when all are gone, without waiting for code that ignores its end;
   * then it leaves the cluster.
   */
  close (): Promise<void>
}

/** Options of `createProcesses`. */
export interface ProcessesOptions {
  /** This node's name inside PIDs: `[A-Za-z0-9_-]{1,64}`. @defaultValue 'local' */
  node?: string
  /** Messages a mailbox holds; more are refused. @defaultValue 10000 */
  mailboxLimit?: number
  /** Bytes of client data a mailbox holds before its sockets are paused. @defaultValue 16 MiB */
  mailboxBytes?: number
  /** How long `close` lets processes clean up. @defaultValue '5s' */
  closeTimeout?: Duration
  /** @defaultValue none */
  logger?: Logger
  /** Makes this system a node of a cluster; `node` must be given, too. @defaultValue none */
  cluster?: ClusterEngine
}

/** `self`: what a body sees. After the process has ended, its sends are refused. */
export interface Process<T extends Topics = {}> extends Sending {
  readonly pid: Pid<T>
  /** Fires when the process is told to stop, or ends. Its reason is an `FST_PROCESS_STOPPED` error. */
  readonly signal: AbortSignal
  /** A child of the system's logger, with the fields `relayPid` and `relayLabel`. */
  readonly log: Logger
  trapLinks: boolean
  /** The mailbox as a loop. It may be left with `break` and looped over again; ends when told to stop. */
  readonly inbox: AsyncIterable<Message<T>>
  /**
   * The next message, or the next of some topics. Resolves with undefined on timeout (0: what is there
   * already); rejects with `signal.reason` when the process is told to stop and no message is left.
   * Several at once are served in the order they were asked for. A receive that was started waits:
   * to give up waiting use `timeout`, not `Promise.race`. While handlers serve, it comes before them
   * for the topics that it wants.
   * @throws `FST_PROCESS_INVALID_DURATION`, `FST_PROCESS_INVALID_TOPIC` (as rejections)
   */
  receive<const O extends ReceiveOptions<Message<T>['topic'] | (string & {})> = {}>(
    options?: O
  ): Promise<Received<T, O>>
  /**
   * Runs a handler per message, without a promise per message. A handler that returns a promise
   * keeps the process busy until it settles. Topics without a handler go to `otherwise`; without
   * one they are dead letters. Settles when the process is told to stop. A handler that throws ends
   * the process: it rejects, for the clean-up, and whatever the body makes of that, the process is
   * told to stop and ends with reason `error`.
   * @throws `FST_PROCESS_ALREADY_SERVING`, `FST_PROCESS_INVALID_SPEC` (at once)
   */
  serve(handlers: Handlers<T>, otherwise?: (message: Message<T>) => unknown): Promise<void>
  /** As {@link Processes.spawn}. @throws also `FST_PROCESS_STOPPED` when this process has ended */
  spawn<U extends Topics = {}, A extends unknown[] = []>(
    body: ProcessBody<U, A>,
    ...options: SpawnArgs<A>
  ): Pid<U>
  /** Spawns and links, in one step (as OTP's `spawn_link`). */
  spawnLink<U extends Topics = {}, A extends unknown[] = []>(
    body: ProcessBody<U, A>,
    ...options: SpawnArgs<A>
  ): Pid<U>
  /** Spawns and monitors, in one step (as OTP's `spawn_monitor`). */
  spawnMonitor<U extends Topics = {}, A extends unknown[] = []>(
    body: ProcessBody<U, A>,
    ...options: SpawnArgs<A>
  ): { pid: Pid<U>, monitor: Monitor }
  /** Exactly one `@exit` when `pid` ends; at once with `noproc` for the dead, also a name nobody has. @throws `FST_PROCESS_INVALID_PID` */
  monitor(pid: string): Monitor
  /** Undoes a monitor of this process, and takes back an `@exit` of it that waits in the mailbox. */
  demonitor(monitor: Monitor): void
  /** Links both ways; idempotent. Linking the dead acts as their exit with `noproc`. @throws `FST_PROCESS_INVALID_PID` */
  link(pid: string): void
  /** Holds at once; idempotent. */
  unlink(pid: string): void
  /** Sends once, after `delay` (at most 24 days). Ends with the process. @throws `FST_PROCESS_INVALID_DURATION`, `FST_PROCESS_INVALID_TOPIC` */
  sendAfter<U extends Topics = {}, K extends string = string>(
    delay: Duration,
    to: Pid<U> | string,
    topic: TopicFor<U, K>,
    ...payload: PayloadArgs<U, K>
  ): Timer
  /** Sends every `interval` (1 ms to 24 days). Ends with the process. @throws as `sendAfter` */
  sendEvery<U extends Topics = {}, K extends string = string>(
    interval: Duration,
    to: Pid<U> | string,
    topic: TopicFor<U, K>,
    ...payload: PayloadArgs<U, K>
  ): Timer
  /**
   * Ends this process from inside by throwing: a plain body goes on in `finally` only; inside a
   * `serve` handler the throw is recognised and `serve` settles. Call it from the body or a handler
   * (in a bare timer callback the throw would be uncaught).
   * @param reason @defaultValue 'normal'
   */
  stop(reason?: ExitReason): never
}
