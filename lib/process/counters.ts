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

/**
 * The counters of one process system since its start. A number changes in one method only, so that
 * nobody has to search for the places that count.
 *
 * The methods are on the path of each message. They are small, so the compiler inlines them.
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

  entityStarted (): void {
    this.spawned++
  }

  entityEnded (reason: string): void {
    const times = this.#exited.get(reason)
    if (times !== undefined || this.#exited.size < maxReasons) {
      this.#exited.set(reason, (times ?? 0) + 1)
    } else this.#exited.set('other', (this.#exited.get('other') ?? 0) + 1)
  }

  // Supervisors

  childRestarted (): void {
    this.restarts++
  }

  supervisorGaveUp (): void {
    this.giveUps++
  }
}
