import { Mail } from '../message.js'
import type { Wanted } from './receive.js'
import type { Pid } from '../../../types/pid.js'

/** What waits for room in a mailbox: told once, when the mailbox has drained. */
export interface Producer {
  resume (): void
}

/** How much a mailbox holds, of messages and of bytes of client data. */
export interface MailboxLimits {
  readonly messages: number
  readonly bytes: number
}

/**
 * The mail of one process, in order. It counts messages and bytes of client data: above 75 % of
 * either limit those who feed it from a socket wait, below 25 % of both they go on.
 *
 * Messages lie one behind the other without anything beside them: most mailboxes are empty, and an
 * empty one holds no memory for what it may hold some day.
 */
export class Mailbox {
  /** Behind it lies the first again. */
  #last: Mail | undefined
  #length = 0
  #bytes = 0
  readonly #limits: MailboxLimits
  #waiting: Set<Producer> | undefined

  constructor (limits: MailboxLimits) {
    this.#limits = limits
  }

  get length (): number {
    return this.#length
  }

  /** A send is refused. */
  get full (): boolean {
    return this.#length >= this.#limits.messages || this.#bytes >= this.#limits.bytes
  }

  /** Those who can wait should. */
  get congested (): boolean {
    return this.#length >= Math.max(1, this.#limits.messages * 0.75) || this.#bytes >= this.#limits.bytes * 0.75
  }

  push (mail: Mail): void {
    if (this.#last !== undefined) Mail.layBehind(this.#last, mail)
    this.#last = mail
    this.#length++
    this.#bytes += mail.bytes
  }

  /** The next message, or the next whose topic is wanted. */
  take (wanted?: Wanted): Mail | undefined {
    if (wanted !== undefined) return this.remove((mail) => wanted(mail.topic))
    return this.#last === undefined ? undefined : this.#takeBehind(this.#last)
  }

  /** Whether a message of a wanted topic is here. */
  has (wanted?: Wanted): boolean {
    if (wanted === undefined) return this.#length > 0
    return this.#before((mail) => wanted(mail.topic)) !== undefined
  }

  /** Takes the first message that matches out; the others keep their order. */
  remove (matches: (mail: Mail) => boolean): Mail | undefined {
    const before = this.#before(matches)
    return before === undefined ? undefined : this.#takeBehind(before)
  }

  /** The message before the first that matches. */
  #before (matches: (mail: Mail) => boolean): Mail | undefined {
    let before = this.#last
    for (let i = 0; i < this.#length; i++, before = Mail.behind(before!)) {
      if (matches(Mail.behind(before!))) return before
    }
    return undefined
  }

  /** Has `feeder.resume()` called once the mailbox has drained. */
  wait (feeder: Producer): void {
    this.#waiting ??= new Set()
    this.#waiting.add(feeder)
  }

  /** Takes a {@link wait} back. */
  forget (feeder: Producer): void {
    if (this.#waiting?.delete(feeder) === true && this.#waiting.size === 0) this.#waiting = undefined
  }

  /** The senders of the messages of a topic that nobody has taken; undefined if there are none. */
  sendersOf (topic: string): Set<Pid> | undefined {
    let senders: Set<Pid> | undefined
    let mail = this.#last
    for (let i = 0; i < this.#length; i++) {
      mail = Mail.behind(mail!)
      if (mail.topic === topic && mail.from !== undefined) (senders ??= new Set()).add(mail.from)
    }
    return senders
  }

  /** Drops everything. @returns how many messages were lost */
  clear (): number {
    const lost = this.#length
    this.#last = undefined
    this.#length = 0
    this.#bytes = 0
    this.#waiting = undefined
    return lost
  }

  #takeBehind (before: Mail): Mail {
    const mail = Mail.behind(before)
    if (mail === before) this.#last = undefined
    else {
      Mail.takeBehind(before)
      if (mail === this.#last) this.#last = before
    }
    this.#length--
    this.#bytes -= mail.bytes
    if (this.#waiting !== undefined) this.#relieve(this.#waiting)
    return mail
  }

  #relieve (waiting: Set<Producer>): void {
    if (this.#length > this.#limits.messages * 0.25 || this.#bytes > this.#limits.bytes * 0.25) return
    // One that goes on may fill the mailbox again: those behind it keep their turn.
    for (const feeder of waiting) {
      this.forget(feeder)
      feeder.resume()
      if (this.congested) return
    }
  }
}
