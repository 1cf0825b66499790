import type { Backoff } from './options.js'
import type { Duration, Pid, Topics } from './pid.js'

/** The options of a kind of keyed processes, apart from `start` and `args`. */
export interface KeyedOptions {
  /**
   * The node of a cluster on which the process of a key starts: `here`, the one that asked for it
   * first, or `spread`, the one that a hash of the key names. @defaultValue 'here'
   */
  place?: 'here' | 'spread'
  /**
   * How many processes of this kind may be alive on this node. A start above it is refused with
   * `FST_PROCESS_TOO_MANY` (503). @defaultValue 10000
   */
  max?: number
  /**
   * A process ends with `normal` after so long without mail and without a bound connection. 0:
   * never. @defaultValue '30s'
   */
  idle?: Duration
  /**
   * How long connections wait for a successor when their process has failed, until it has asked for
   * mail: up to 5 min. 0: they are closed. `park` and `on_target_exit` of a header precede.
   * @defaultValue '10s'
   */
  park?: Duration
  /**
   * After more failures than this within `period` a key starts nothing more, until `period` is
   * over. @defaultValue 3
   */
  maxRestarts?: number
  /** The period of `maxRestarts`. The time of `backoff` does not count. @defaultValue '5s' */
  period?: Duration
  /** Delays the start after a failure. @defaultValue no delay */
  backoff?: Backoff
}

/** A kind of keyed processes. `B` is the type of its body, `A` are the arguments after `self`. */
export interface KeyedSpec<B = unknown, A extends unknown[] = unknown[]> extends KeyedOptions {
  /** The body of each process. Its start has succeeded when it first asks for mail. */
  start: B
  /** Makes the array of arguments of the body for a key. @defaultValue the key alone */
  args?: (key: string) => readonly [...A]
}

/** As {@link KeyedSpec}. `args` is required if the body cannot be called with the key alone. */
export type KeyedSpecOf<B, A extends unknown[]> = KeyedOptions & { start: B } & (
  A extends []
    ? Pick<KeyedSpec<B, A>, 'args'>
    : [key: string] extends A
        ? Pick<KeyedSpec<B, A>, 'args'>
        : Required<Pick<KeyedSpec<B, A>, 'args'>>
)

/** The processes of one kind: at most one for each key takes mail, in a cluster on all nodes. */
export interface Keyed<T extends Topics = {}> {
  /**
   * The address of a key, such as `@room/lobby`: valid wherever a PID or a name is. `send`, `call`,
   * `reply.relay` and a `target_pid` start the process when there is none. Everything else treats a
   * key without a process as a dead PID.
   * @param key 1 to 256 bytes of UTF-8 without control characters
   * @throws `FST_PROCESS_INVALID_NAME`
   */
  key (key: string): Pid<T>
  /**
   * The process of a key, which is started when there is none. Resolves when its start has
   * succeeded. Rejects with the error of its body if that ends before, and with
   * - `FST_PROCESS_NOT_ALIVE`: its body returned, or was ended, before it asked for mail;
   * - `FST_PROCESS_TOO_MANY`: there are `max` processes of this kind;
   * - `FST_PROCESS_REFUSED`: the key has failed too often;
   * - `FST_PROCESS_CLOSING`, `FST_CLUSTER_NOT_READY`: nothing can start now;
   * - `FST_CLUSTER_UNAVAILABLE`: the engine, or the node of the process, cannot be reached;
   * - `FST_PROCESS_INVALID_NAME`.
   */
  get (key: string): Promise<Pid<T>>
  /**
   * The process of a key, if there is one that takes mail. Nothing is started, and in a cluster
   * nothing is asked: of other nodes it gives the processes that this node has reached.
   */
  peek (key: string): Pid<T> | undefined
  /** The keys that have a process on this node. */
  list (): string[]
  /**
   * Cancels the process of a key, ends it after 5 s, and resolves when it has ended. At once if
   * there is none. A later request starts the next one. If a process waits for the one before,
   * which still handles its mail, both are stopped. In a cluster it stops a process of any node,
   * and rejects with `FST_CLUSTER_UNAVAILABLE` if that cannot be reached.
   */
  stop (key: string): Promise<void>
}
