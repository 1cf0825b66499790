import { commonFields, processEvents } from '../shared/diagnostics.js'
import type { Description } from './entity.js'
import type { Exit } from '../../types/messages.js'
import type { ProcessInfo } from '../../types/info.js'
import type { Pid } from '../../types/pid.js'

/** A reason may be any string. Above this many different ones, they are counted as `other`. */
const maxReasons = 100

/**
 * Why a message was refused: `send` returned false, or the message was dropped on its way.
 *
 * - `ended`: its sender has ended
 * - `stopping`: its receiver accepts no more mail, or the connection is closing
 * - `full`: the mailbox of its receiver is full
 * - `slow`: the client reads too slowly
 * - `payload`: a connection cannot make a frame of its payload
 * - `topic`: the connection does not forward topics
 * - `control`: a `ws.control` that cannot be carried out
 * - `remote`: its node cannot be reached, or its payload cannot be sent to another node
 * - `missed`: a message of another node to a connection was refused or lost on its way
 */
export type RefusalReason =
  | 'ended' | 'stopping' | 'full' | 'slow' | 'payload' | 'topic' | 'control' | 'remote' | 'missed'

/**
 * Why a message has no reader.
 *
 * - `none`: no process has the PID or the name
 * - `unhandled`: its receiver has no handler for the topic
 * - `ended`: it was left in the mailbox of a process that has ended
 */
export type DeadLetterReason = 'none' | 'unhandled' | 'ended'

/** A process, supervisor or connection, as far as its events show it. */
export interface CountedEntity {
  readonly pid: Pid
  readonly kind: ProcessInfo['kind']
  describe (): Pick<Description, 'label' | 'uptime'>
}

/** A process or supervisor, when it starts. */
export interface CountedProcess {
  readonly pid: Pid
  readonly kind: 'process' | 'supervisor'
  readonly label: string
}

/** A child of a supervisor. */
export interface CountedChild {
  readonly plan: { readonly id: string }
  readonly pid: Pid | undefined
  readonly restarts: number
  /** The exit of its last process. */
  readonly lastExit: Exit
}

/**
 * The counters of one process system since its start, and the events about what they count. Each
 * number changes in one method only, which publishes the event as well.
 *
 * The methods about messages are on the path of each message. They are small, so that the compiler
 * inlines them, and publish nothing.
 */
export class Counters {
  spawned = 0
  sent = 0
  delivered = 0
  deadLetters = 0
  refused = 0
  /** Restarts of children, by all supervisors. */
  restarts = 0
  /** Supervisors that ended with `restart_intensity`. */
  giveUps = 0
  readonly refusedBy: Record<RefusalReason, number> = {
    ended: 0,
    stopping: 0,
    full: 0,
    slow: 0,
    payload: 0,
    topic: 0,
    control: 0,
    remote: 0,
    missed: 0
  }

  readonly deadLettersBy: Record<DeadLetterReason, number> = { none: 0, unhandled: 0, ended: 0 }
  readonly #exited = new Map<string, number>()
  readonly #node: string

  constructor (node: string) {
    this.#node = node
  }

  get exited (): Record<string, number> {
    return Object.fromEntries(this.#exited)
  }

  // Messages

  /** A mailbox or another node has taken a message. */
  messageSent (): void {
    this.sent++
  }

  /** A process has taken a message out of its mailbox. */
  messageDelivered (): void {
    this.delivered++
  }

  /** A connection has taken a message: it has no mailbox, so the message is delivered, too. */
  messageTaken (): void {
    this.sent++
    this.delivered++
  }

  messageRefused (why: RefusalReason, times = 1): void {
    this.refused += times
    this.refusedBy[why] += times
  }

  deadLetter (why: DeadLetterReason, times = 1): void {
    this.deadLetters += times
    this.deadLettersBy[why] += times
  }

  // Processes and connections

  /** A connection has its PID. Its events are those of its server. */
  connectionSpawned (): void {
    this.spawned++
  }

  /** Called when the name and the monitor of the process are in place. */
  processSpawned ({ pid, kind, label }: CountedProcess, name: string | undefined): void {
    this.spawned++
    if (!processEvents.hasSubscribers) return
    processEvents.publish({ type: 'spawn', ...commonFields(this.#node), pid, kind, label, name })
  }

  /**
   * Called when a process or connection is in no table any more, before its exit signals are sent.
   * @param names the names that it had; undefined if nobody subscribes to the events of processes
   */
  entityEnded (entity: CountedEntity, exit: Exit, names: string[] | undefined): void {
    const { pid, reason, error } = exit
    this.#countExit(reason)
    const { kind } = entity
    if (names === undefined || kind === 'ws') return
    const { label, uptime } = entity.describe()
    processEvents.publish({
      type: 'exit', ...commonFields(this.#node), pid, kind, label, names, reason, error, uptime
    })
  }

  #countExit (reason: string): void {
    const times = this.#exited.get(reason)
    if (times !== undefined || this.#exited.size < maxReasons) {
      this.#exited.set(reason, (times ?? 0) + 1)
    } else this.#exited.set('other', (this.#exited.get('other') ?? 0) + 1)
  }

  // Supervisors

  childRestarted (supervisor: Pid, child: CountedChild): void {
    this.restarts++
    if (!processEvents.hasSubscribers) return
    const { plan: { id }, pid, restarts, lastExit } = child
    processEvents.publish({
      type: 'restart',
      ...commonFields(this.#node),
      pid: pid!,
      previous: lastExit.pid,
      supervisor,
      child: id,
      restarts
    })
  }

  /** @param failed the child that failed once too often */
  supervisorGaveUp ({ pid, label }: CountedProcess, failed: CountedChild): void {
    this.giveUps++
    if (!processEvents.hasSubscribers) return
    const { plan: { id: child }, lastExit: { reason, error } } = failed
    processEvents.publish({
      type: 'give-up', ...commonFields(this.#node), pid, label, child, reason, error
    })
  }
}
