import type { ProcessInfo } from './info.js'
import type { ExitReason, LeaveCause } from './messages.js'
import type { Pid } from './pid.js'

/**
 * How a process or supervisor came to its end:
 *
 * - `returned`: its body returned
 * - `failed`: its body or a handler threw
 * - `stopped`: it called `self.stop`
 * - `cancel`: it was cancelled, and its body settled
 * - `exit`, `killed`: it was ended with `exit`; with the reason `kill`
 * - `link`: a linked process failed
 * - `supervisor`: its supervisor stopped it, or ended
 * - `sibling`: another child failed, and the strategy restarts both
 * - `gave_up`: a supervisor with too many restarts
 */
export type ProcessEndCause =
  | 'returned' | 'failed' | 'stopped' | 'cancel' | 'exit' | 'killed' | 'link' | 'supervisor'
  | 'sibling' | 'gave_up'

/** A connection has the cause that its `ws.leave` has. See docs/close-codes.md. */
export type EndCause = ProcessEndCause | Exclude<LeaveCause, 'transfer'>

/** The error of a process that failed, as text. */
export interface EndError {
  readonly name: string
  /** At most 1000 characters. An application that quotes its clients finds the quote here. */
  readonly message: string
  /** The first 5 lines of its stack. */
  readonly frames: readonly string[]
}

/** The end of one process or connection. It is plain data: it can be logged and sent. */
export interface End {
  readonly pid: Pid
  readonly kind: ProcessInfo['kind']
  /** As in {@link ProcessInfo}. */
  readonly label: string
  /** The first of the names that it had at its end. */
  readonly name?: string
  /** Milliseconds since 1970. Ends that share one cause have the time of the first of them. */
  readonly at: number
  /** Milliseconds since then, by the clock of the node that answered. */
  readonly ago: number
  /** Milliseconds for which it had been alive. */
  readonly uptime: number
  readonly reason: ExitReason
  readonly cause: EndCause
  /** The process whose end led to this one: its target, a linked process, its supervisor. */
  readonly because?: Pid
  /** The process that asked for this end with `exit`, `cancel` or `ws.close`. */
  readonly by?: Pid
  readonly error?: EndError
  /** Whether its node was closing, or being drained. */
  readonly closing?: true
  /** Connections: the close code that the client saw or sent. */
  readonly code?: number
  /** Connections: the reason that the client saw. Never the text of a client. */
  readonly closeReason?: string
  /** Connections: the process that got the messages of the client. */
  readonly target?: Pid
  /** Connections: milliseconds for which the client had been away. */
  readonly away?: number
  /** The process that its supervisor, or its key, has started in its place. */
  readonly restartedAs?: Pid
  /** Milliseconds between its end and that start. */
  readonly restartedAfter?: number
}

/** Why a process or connection ended: the result of `explain`. */
export interface Explanation {
  readonly pid: Pid
  /**
   * - `ended`: `chain` has its end
   * - `alive`: it has not ended
   * - `forgotten`: it has ended, and too many others have since: see the option `keepEnds`
   * - `unreachable`: its node did not answer, or is not there any more
   */
  readonly state: 'ended' | 'alive' | 'forgotten' | 'unreachable'
  /** One English sentence, for people. Its wording may change in any version. */
  readonly text: string
  /**
   * Its end, then the end that led to it, and so on: at most 10. Empty unless `state` is `ended`.
   * If the last one has `because`, the end of that process is not known here.
   */
  readonly chain: readonly End[]
  /** How many ends the last one of the chain has led to, directly and through others. */
  readonly together: number
  /** The process that was started in the place of the first one in the chain that was restarted. */
  readonly restartedAs?: Pid
}
