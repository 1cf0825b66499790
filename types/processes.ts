import type {
  Exit, ExitReason, Handlers, Message, MessageUnder, PayloadAndOptions, PayloadArgs, ReplyFor,
  TopicFor
} from './messages.js'
import type { Cluster } from './cluster.js'
import type { Explanation } from './explain.js'
import type { Keyed, KeyedSpecOf } from './keyed.js'
import type { ProcessInfo, SystemHealth } from './info.js'
import type { ProcessStats } from './stats.js'
import type {
  Backoff, CallOptions, DrainOptions, Logger, ReceiveOptions, SpawnArgs, Timer
} from './options.js'
import type { Groups, Names } from './registries.js'
import type { Trace, TraceEvent, TraceOptions } from './trace.js'
import type { Duration, Monitor, Pid, Topics } from './pid.js'

/**
 * The function of a process. The process ends when it returns or throws. Its variables are the
 * state of the process. Code after its loop, or after `await self.serve(…)`, is its clean-up.
 */
export type ProcessBody<T extends Topics = {}, A extends unknown[] = []> =
  (self: Process<T>, ...args: A) => unknown

/** The result of `receive`: a message of the given topics, or undefined if it has a timeout. */
type ReceiveResult<T extends Topics, O> =
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

/** A supervisor and its children, as in OTP's supervisor flags and child specifications. */
export interface SupervisorSpec {
  name?: string
  /** @defaultValue 'one_for_one' */
  strategy?: 'one_for_one' | 'one_for_all' | 'rest_for_one'
  /**
   * More restarts than this within `period` end the supervisor with `restart_intensity`.
   * @defaultValue 3
   */
  maxRestarts?: number
  /** The period of `maxRestarts`. The time of `backoff` does not count. @defaultValue '5s' */
  period?: Duration
  /** Delays restarts. @defaultValue no delay */
  backoff?: Backoff
  children?: readonly ChildSpec[]
}

/** The options of every child. */
interface ChildCommon {
  /** Unique among the children. */
  id: string
  name?: string
  /**
   * When it is restarted: `permanent` always, `transient` only after an abnormal end, `temporary`
   * never.
   * @defaultValue 'permanent'
   */
  restart?: 'permanent' | 'transient' | 'temporary'
  /** How long a cancelled child may clean up. Then it is ended. @defaultValue '5s' */
  shutdown?: Duration
}

/** A child that is a process. */
interface BodyChild extends ChildCommon {
  /** How many messages the mailbox may hold. @defaultValue the system's `mailboxLimit` */
  mailboxLimit?: number
  /** As in {@link SpawnOptions}. @defaultValue false */
  trapLinks?: boolean
}

/** A child whose body takes only `self`. */
export interface PlainChild extends BodyChild {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- its body may have any topics
  start: ProcessBody<any, []>
  args?: undefined
}

/** A child whose body takes arguments. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- its body may have any arguments
export interface ChildWithArgs<A extends unknown[] = any> extends BodyChild {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- its body may have any topics
  start: ProcessBody<any, A>
  /** The arguments of the body after `self`, at each start. */
  args: readonly [...A]
}

/** A child that is a supervisor. Its `name` takes precedence over the `name` in `start`. */
export interface SupervisorChild extends ChildCommon {
  start: SupervisorSpec
  args?: undefined
  mailboxLimit?: undefined
  trapLinks?: undefined
}

/** One child of a supervisor. */
export type ChildSpec = SupervisorChild | PlainChild | ChildWithArgs

/** The state of a child. Without a `pid`, it waits for a restart, or has ended and stays ended. */
export interface ChildInfo {
  readonly id: string
  readonly pid: Pid | undefined
  readonly restarts: number
}

/** A child with the arguments that its body takes. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a child's body may have any topics
export type ChildOf<A extends unknown[]> = BodyChild & { start: ProcessBody<any, A> } &
  ([] extends A ? { args?: readonly [...A] } : { args: readonly [...A] })

/**
 * The children of a supervisor, each with the arguments that its body takes. `A` has one list of
 * arguments for each child, which the compiler infers from the bodies.
 */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- its bodies may have any arguments
export type ChildrenOf<A extends any[][]> = readonly [
  ...{ readonly [I in keyof A]: ChildWith<A[I]> | SupervisorChild }
]

/** A supervisor and its children, each with the arguments that its body takes. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- its bodies may have any arguments
export type SupervisorSpecOf<A extends any[][]> =
  Omit<SupervisorSpec, 'children'> & { children?: ChildrenOf<A> }

/** As {@link ChildOf}, but the arguments are inferred from the body alone. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- a child's body may have any topics
type ChildWith<A extends unknown[]> = BodyChild & { start: ProcessBody<any, A> } & (
  [] extends A ? { args?: NoInfer<readonly [...A]> } : { args: NoInfer<readonly [...A]> }
)

/** A running supervisor. */
export interface Supervisor {
  readonly pid: Pid
  /**
   * Starts one more child, after the others. It may have the id of a child that is not restarted
   * any more.
   * @throws `FST_PROCESS_INVALID_SPEC` (also an id in use), `FST_PROCESS_NAME_TAKEN`,
   * `FST_PROCESS_NOT_ALIVE`
   */
  startChild<A extends unknown[] = []> (child: ChildOf<A> | SupervisorChild): Pid
  /**
   * Cancels a child, ends it after its `shutdown` time, and removes it.
   * @throws `FST_PROCESS_NOT_ALIVE` if there is no such child (as a rejection)
   */
  stopChild (id: string): Promise<void>
  children (): ChildInfo[]
}

/** The methods that `self` and `app.processes` have in common. */
export interface Sending {
  /** The name of this node, which is part of its PIDs. */
  readonly node: string
  /** The cluster; undefined without the option `cluster`, and until the node has joined. */
  readonly cluster: Cluster | undefined
  /**
   * Sends a message. `to` is a PID or a name. The payload is passed by reference.
   * @returns whether it was accepted. false: there is no such process, it is stopping, its mailbox
   * or socket is full, or the payload cannot be sent
   * @throws `FST_PROCESS_INVALID_TOPIC`: not 1 to 128 characters, or it begins with `@`
   */
  send<T extends Topics = {}, K extends string = string> (
    to: Pid<T> | string, topic: TopicFor<T, K>, ...payload: PayloadArgs<T, K>
  ): boolean
  /**
   * Sends a message and waits for `reply` or `fail`. Rejects with
   * - `FST_PROCESS_NOT_ALIVE`: there is no such process; nothing was delivered;
   * - `FST_PROCESS_REFUSED`: its mailbox is full; nothing was delivered;
   * - `FST_PROCESS_CALL_FAILED`: it called `fail`, or ended before it answered (outcome unknown);
   * - `FST_PROCESS_CALL_TIMEOUT`: no answer in time (outcome unknown: the message, or the frame of
   *   a `ws.send`, may still be delivered);
   * - the reason of `options.signal`.
   * @throws `FST_PROCESS_INVALID_TOPIC`, `FST_PROCESS_INVALID_DURATION` (as rejections)
   */
  call<T extends Topics = {}, K extends string = string> (
    to: Pid<T> | string, topic: TopicFor<T, K>, ...args: PayloadAndOptions<T, K, CallOptions>
  ): Promise<ReplyFor<T, K>>
  /**
   * Ends a process at once. It cannot be trapped. If its code still runs, its sends are refused.
   * The reason `kill` becomes `killed`. Unlike in OTP, `normal` ends the process too.
   * @param reason 1 to 256 characters. @defaultValue 'shutdown'
   * @returns whether it was alive
   */
  exit (to: string, reason?: string): boolean
  /**
   * Asks a process to stop. Its signal fires, `@cancel` is its last message, and then its inbox
   * ends. When its body settles, it ends with the reason `shutdown`.
   * @throws `FST_PROCESS_INVALID_REASON`
   * @returns whether it was alive
   */
  cancel (to: string, reason?: string): boolean
  alive (to: string): boolean
  info (to: string): ProcessInfo | undefined
  /** All PIDs of this node, oldest first. */
  list (): Pid[]
  /**
   * Resolves when a process has ended; at once with `noproc` for a dead PID or an unregistered
   * name. Rejects with the reason of `options.signal`, and for wrong arguments.
   */
  exited (to: string, options?: { signal?: AbortSignal }): Promise<Exit>
  readonly names: Names
  readonly groups: Groups
  /**
   * Starts a supervisor and its children. The compiler checks the `args` of each child against its
   * body, except in a list of the type `ChildSpec[]` and inside of a child that is a supervisor.
   * @throws `FST_PROCESS_INVALID_SPEC`, `FST_PROCESS_NAME_TAKEN`
   */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- bodies may have any arguments
  supervise<A extends any[][] = []> (spec: SupervisorSpecOf<A>): Supervisor
}

/** The interface of `fastify.processes`. See also {@link ProcessSystem}. */
export interface Processes extends Sending {
  /**
   * Starts a process. Its body runs in a later turn. When `spawn` throws, nothing was started.
   * @throws `FST_PROCESS_NAME_TAKEN`, `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_INVALID_PID`,
   * `FST_PROCESS_INVALID_SPEC`, `FST_PROCESS_NOT_ALIVE` (for `monitor`), `FST_PROCESS_CLOSING`
   */
  spawn<T extends Topics = {}, A extends unknown[] = []>(
    body: ProcessBody<T, A>,
    ...options: SpawnArgs<A>
  ): Pid<T>
  /**
   * Tells why a process or connection of this node has ended: in one sentence, and as the chain of
   * ends that led to it, across links, supervisors and targets.
   *
   * The last 512 ends of processes and of connections are remembered (the option `keepEnds`). Ends
   * of one cause count once, so that a room with many connections cannot push its own end out.
   * The end of a process of another node may end a chain: `cluster.explain` follows it.
   *
   * @returns undefined for a PID that this node has not made
   * @throws `FST_PROCESS_INVALID_PID` for anything but a string
   */
  explain(pid: string): Explanation | undefined
  /**
   * Defines a kind of processes, one for each key: a room, a document, a user. A request for a key
   * starts its process, and only one of a key takes mail.
   * @throws `FST_PROCESS_INVALID_SPEC` (also for a kind that is defined already),
   * `FST_PROCESS_INVALID_NAME`
   */
  keyed<T extends Topics = {}, A extends unknown[] = [key: string]>(
    kind: string, spec: KeyedSpecOf<ProcessBody<T, A>, A>
  ): Keyed<T>
  /**
   * Shows one process or connection of this node live: each message that it receives, takes and
   * sends, and its end. For development and for a console of operators. A process that is not
   * traced pays nothing.
   *
   * Stops by itself when the process ends, and after `max` events. The listener is called
   * synchronously, in the code that it is told about. If it throws, the error is logged, and this
   * trace stops. Broadcasts to cluster-wide groups are not shown as sent.
   *
   * @param to a PID or a name
   * @throws `FST_PROCESS_NOT_ALIVE` (also for a PID of another node), `FST_PROCESS_INVALID_PID`,
   * `FST_PROCESS_INVALID_OPTIONS`
   */
  trace(to: string, options: TraceOptions, listener: (event: TraceEvent) => void): Trace
  /** Counters since the start, and gauges of the present. It takes microseconds. */
  stats(): ProcessStats
  /** Whether this system should get new clients. For readiness probes. */
  health(): SystemHealth
  /**
   * Closes all connections over some time, so that their clients do not come back all at once.
   * Everything else goes on: HTTP is served, processes run and start. Call it before `app.close()`.
   *
   * `health()` says `draining` at once. After `delay`, new upgrades get 503 with `Retry-After`, and
   * the connections have their turns, in random order, evenly over `over`, at most 1000 in 100 ms.
   * At its turn a client that counts messages (docs/resume.md) is asked to open another socket. If
   * it is still there after `closeTimeout`, and at once in all other cases, a connection is closed
   * with 1001 `server shutting down` and the cause `shutdown`. Until its turn a client may resume
   * its connection. Connections whose clients are away come last. An upgrade under way finishes,
   * and takes a turn.
   *
   * Resolves when all connections are closed, and at the latest after `delay` + `over` + twice
   * `closeTimeout`. Later calls return the promise of the first one. `app.close()` ends it early.
   * @throws `FST_PROCESS_INVALID_OPTIONS`, `FST_PROCESS_INVALID_DURATION` (as rejections)
   */
  drain(options?: DrainOptions): Promise<void>
}

/** A process system of its own, as `createProcesses` makes it. */
export interface ProcessSystem extends Processes {
  /**
   * Resolves when the system has joined its cluster; at once without the option `cluster`. Until
   * then `spawn` throws `FST_CLUSTER_NOT_READY`, because a PID contains the incarnation of its
   * node, which the engine has to confirm.
   * @throws `FST_CLUSTER_UNAVAILABLE`, `FST_PROCESS_CLOSING` if the system was closed before, or an
   * error of the engine (as rejections)
   */
  ready (): Promise<void>
  /**
   * Cancels every process: supervisors first, whose children stop in reverse order. The others are
   * cancelled when the supervisors have ended, or after half of `closeTimeout`. After
   * `closeTimeout` the remaining processes are ended. From the call on, nothing new can start. Then
   * the node leaves its cluster, and `close` resolves. It does not wait for code that ignores its
   * end.
   */
  close (): Promise<void>
}

/** `self`, the interface of a process for its body. After its end, its sends are refused. */
export interface Process<T extends Topics = {}> extends Sending {
  readonly pid: Pid<T>
  /** Fires when the process is asked to stop, or ends. Its reason is `FST_PROCESS_STOPPED`. */
  readonly signal: AbortSignal
  /** A child of the system's logger, with the fields `relayPid` and `relayLabel`. */
  readonly log: Logger
  /** As in {@link SpawnOptions}. It can be changed at any time. */
  trapLinks: boolean
  /**
   * The messages of the mailbox, for `for await`. The loop ends when the process is asked to stop.
   * After a `break`, a new loop continues with the next message.
   */
  readonly inbox: AsyncIterable<Message<T>>
  /**
   * Takes the next message, or the next of some topics. Resolves with undefined after `timeout`; 0
   * takes only a message that is already there. Rejects with `signal.reason` when the process is
   * asked to stop and no such message is left. Several receives are served in the order of their
   * calls. To give up, use `timeout` and not `Promise.race`: a receive goes on waiting. During
   * `serve`, a receive gets the messages of its topics before the handlers do.
   * @throws `FST_PROCESS_INVALID_DURATION`, `FST_PROCESS_INVALID_TOPIC` (as rejections)
   */
  receive<const O extends ReceiveOptions<Message<T>['topic'] | (string & {})> = {}>(
    options?: O
  ): Promise<ReceiveResult<T, O>>
  /**
   * Calls a handler for each message, without a promise for each message. If a handler returns a
   * promise, the next message waits until it settles. A message without a handler goes to
   * `otherwise`; without `otherwise` it is a dead letter. Resolves when the process is asked to
   * stop. When a handler throws, `serve` rejects, so that the body can clean up. Even if the body
   * catches the error, the process ends with the reason `error`.
   * @throws `FST_PROCESS_ALREADY_SERVING`, `FST_PROCESS_INVALID_SPEC` (at once)
   */
  serve(handlers: Handlers<T>, otherwise?: (message: Message<T>) => unknown): Promise<void>
  /** As {@link Processes.spawn}. @throws also `FST_PROCESS_STOPPED` if this process has ended */
  spawn<U extends Topics = {}, A extends unknown[] = []>(
    body: ProcessBody<U, A>,
    ...options: SpawnArgs<A>
  ): Pid<U>
  /** Starts a process and links with it in one step (as OTP's `spawn_link`). */
  spawnLink<U extends Topics = {}, A extends unknown[] = []>(
    body: ProcessBody<U, A>,
    ...options: SpawnArgs<A>
  ): Pid<U>
  /** Starts a process and monitors it in one step (as OTP's `spawn_monitor`). */
  spawnMonitor<U extends Topics = {}, A extends unknown[] = []>(
    body: ProcessBody<U, A>,
    ...options: SpawnArgs<A>
  ): { pid: Pid<U>, monitor: Monitor }
  /**
   * One `@exit` arrives when `pid` ends; at once, with `noproc`, for a dead PID or an unregistered
   * name.
   * @throws `FST_PROCESS_INVALID_PID`
   */
  monitor(pid: string): Monitor
  /** Ends a monitor of this process, and removes its `@exit` from the mailbox. */
  demonitor(monitor: Monitor): void
  /**
   * Links two processes: the failure of one ends the other. Idempotent. A link with a dead process
   * acts as its exit with `noproc`.
   * @throws `FST_PROCESS_INVALID_PID`
   */
  link(pid: string): void
  /** Ends a link. Takes effect at once. Idempotent. */
  unlink(pid: string): void
  /**
   * Sends a message after `delay` (at most 24 days). The timer ends with the process.
   * @throws `FST_PROCESS_INVALID_DURATION`, `FST_PROCESS_INVALID_TOPIC`
   */
  sendAfter<U extends Topics = {}, K extends string = string>(
    delay: Duration,
    to: Pid<U> | string,
    topic: TopicFor<U, K>,
    ...payload: PayloadArgs<U, K>
  ): Timer
  /**
   * Sends a message every `interval` (1 ms to 24 days). The timer ends with the process.
   * @throws as `sendAfter`
   */
  sendEvery<U extends Topics = {}, K extends string = string>(
    interval: Duration,
    to: Pid<U> | string,
    topic: TopicFor<U, K>,
    ...payload: PayloadArgs<U, K>
  ): Timer
  /**
   * Ends this process from inside. It throws: in a plain body only `finally` blocks still run, and
   * in a handler the error makes `serve` settle. Call it from the body or from a handler. In the
   * callback of a `setTimeout` nothing would catch the error.
   * @param reason @defaultValue 'normal'
   */
  stop(reason?: ExitReason): never
}
