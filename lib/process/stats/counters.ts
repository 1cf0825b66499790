import { commonFields, processEvents } from '../../shared/diagnostics.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { DeadLetterReason, RefusalReason } from '../../../types/stats.js'

/** A reason may be any string. Above this many different ones, they are counted as `other`. */
const maxReasons = 100

/** A process or supervisor that has ended, as far as its event shows it. */
export interface EndedProcess {
  readonly pid: Pid
  readonly kind: CountedProcess['kind']
  readonly label: string
  /** Milliseconds. */
  readonly uptime: number
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
  /** Messages that processes have taken out of their mailboxes. */
  deliveredToProcesses = 0
  /** Messages that connections have taken for their clients. */
  deliveredToClients = 0
  /** Messages that connections have taken for themselves: `ws.close` and `ws.control`. */
  deliveredControls = 0
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
  /** Connections are counted by their server. */
  readonly aliveBy: Record<CountedProcess['kind'], number> = { process: 0, supervisor: 0 }
  /** The counts are in objects, because another value of a key costs as much as its lookup. */
  readonly #exited = new Map<string, { times: number }>()
  readonly #node: string

  constructor (node: string) {
    this.#node = node
  }

  get delivered (): number {
    return this.deliveredToProcesses + this.deliveredToClients + this.deliveredControls
  }

  get exited (): Record<string, number> {
    return Object.fromEntries(Array.from(this.#exited, ([reason, { times }]) => [reason, times]))
  }

  // Messages

  /** A mailbox or another node has taken a message. */
  messageSent (): void {
    this.sent++
  }

  /** A process has taken a message out of its mailbox. */
  messageDelivered (): void {
    this.deliveredToProcesses++
  }

  /** A connection has taken a message: it has no mailbox, so the message is delivered, too. */
  clientMessageTaken (): void {
    this.sent++
    this.deliveredToClients++
  }

  /** A connection has taken a message that is not for its client. */
  controlTaken (): void {
    this.sent++
    this.deliveredControls++
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
    this.aliveBy[kind]++
    if (!processEvents.hasSubscribers) return
    processEvents.publish({ type: 'spawn', ...commonFields(this.#node), pid, kind, label, name })
  }

  /** The PID of a connection has ended. Its events are those of its server. */
  connectionEnded ({ reason }: Exit): void {
    this.#countExit(reason)
  }

  /**
   * Called when the process is in no table any more, before its exit signals are sent.
   * @param names the names that it had; undefined if nobody subscribes to the events of processes
   */
  processEnded (process: EndedProcess, exit: Exit, names: string[] | undefined): void {
    const { pid, reason, error } = exit
    const { kind } = process
    this.#countExit(reason)
    this.aliveBy[kind]--
    if (names === undefined) return
    const { label, uptime } = process
    processEvents.publish({
      type: 'exit', ...commonFields(this.#node), pid, kind, label, names, reason, error, uptime
    })
  }

  #countExit (reason: string): void {
    const count = this.#exited.get(reason)
    if (count !== undefined) count.times++
    else if (this.#exited.size < maxReasons || reason === 'other') {
      this.#exited.set(reason, { times: 1 })
    } else this.#countExit('other')
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
