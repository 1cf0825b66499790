import { Mail } from '../message.js'
import type { TopicFilter } from './receive.js'
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
  #producers: Set<Producer> | undefined

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

  enqueueMail (mail: Mail): void {
    if (this.#last !== undefined) Mail.insertAfter(this.#last, mail)
    this.#last = mail
    this.#length++
    this.#bytes += mail.bytes
  }

  /** The next message, or the next whose topic is wanted. */
  dequeueMail (wanted?: TopicFilter): Mail | undefined {
    if (wanted !== undefined) return this.removeMail((mail) => wanted(mail.topic))
    return this.#last === undefined ? undefined : this.#removeAfter(this.#last)
  }

  /** Whether a message of a wanted topic is here. */
  hasMail (wanted?: TopicFilter): boolean {
    if (wanted === undefined) return this.#length > 0
    return this.#findBefore((mail) => wanted(mail.topic)) !== undefined
  }

  /** Takes the first message that matches out; the others keep their order. */
  removeMail (matches: (mail: Mail) => boolean): Mail | undefined {
    const before = this.#findBefore(matches)
    return before === undefined ? undefined : this.#removeAfter(before)
  }

  /** The message before the first that matches. */
  #findBefore (matches: (mail: Mail) => boolean): Mail | undefined {
    let before = this.#last
    for (let i = 0; i < this.#length; i++, before = Mail.next(before!)) {
      if (matches(Mail.next(before!))) return before
    }
    return undefined
  }

  /** Has `feeder.resume()` called once the mailbox has drained. */
  subscribeToDrain (feeder: Producer): void {
    this.#producers ??= new Set()
    this.#producers.add(feeder)
  }

  /** Takes a {@link subscribeToDrain} back. */
  unsubscribeFromDrain (feeder: Producer): void {
    if (this.#producers?.delete(feeder) === true && this.#producers.size === 0) this.#producers = undefined
  }

  /** The senders of the messages of a topic that nobody has taken; undefined if there are none. */
  sendersOf (topic: string): Set<Pid> | undefined {
    let senders: Set<Pid> | undefined
    let mail = this.#last
    for (let i = 0; i < this.#length; i++) {
      mail = Mail.next(mail!)
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
    this.#producers = undefined
    return lost
  }

  #removeAfter (before: Mail): Mail {
    const mail = Mail.next(before)
    if (mail === before) this.#last = undefined
    else {
      Mail.removeAfter(before)
      if (mail === this.#last) this.#last = before
    }
    this.#length--
    this.#bytes -= mail.bytes
    if (this.#producers !== undefined) this.#resumeProducers(this.#producers)
    return mail
  }

  #resumeProducers (waiting: Set<Producer>): void {
    if (this.#length > this.#limits.messages * 0.25 || this.#bytes > this.#limits.bytes * 0.25) return
    // One that goes on may fill the mailbox again: those behind it keep their turn.
    for (const feeder of waiting) {
      this.unsubscribeFromDrain(feeder)
      feeder.resume()
      if (this.congested) return
    }
  }
}
