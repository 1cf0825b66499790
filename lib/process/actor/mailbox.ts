import { Mail } from '../message.js'
import type { TopicFilter } from '../message.js'
import type { Pid } from '../../../types/pid.js'

/** A source of messages that pauses while a mailbox is congested. */
export interface Producer {
  /** Called once when the mailbox has drained. */
  resume (): void
}

/** The limits of a mailbox, in messages and in bytes of client data. */
export interface MailboxLimits {
  readonly messages: number
  readonly bytes: number
}

/**
 * The mail of one process, in order. It counts messages and bytes of client data. Producers should
 * pause above 75 % of either limit, and are resumed below 25 % of both.
 *
 * The messages are a circular linked list, without a container: most mailboxes are empty, and an
 * empty one takes no memory for messages.
 */
export class Mailbox {
  /** Its `next` is the first message. */
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

  /** Messages that may be refused are refused. */
  get full (): boolean {
    return this.#length >= this.#limits.messages || this.#bytes >= this.#limits.bytes
  }

  /** Producers should pause. */
  get congested (): boolean {
    return this.#length >= Math.max(1, this.#limits.messages * 0.75) ||
      this.#bytes >= this.#limits.bytes * 0.75
  }

  enqueueMail (mail: Mail): void {
    if (this.#last !== undefined) Mail.insertAfter(this.#last, mail)
    this.#last = mail
    this.#length++
    this.#bytes += mail.bytes
  }

  /** Removes the first message, or the first one that passes `filter`. */
  dequeueMail (filter?: TopicFilter): Mail | undefined {
    if (filter !== undefined) return this.removeMail((mail) => filter(mail.topic))
    return this.#last === undefined ? undefined : this.#removeAfter(this.#last)
  }

  hasMail (filter?: TopicFilter): boolean {
    if (filter === undefined) return this.#length > 0
    return this.#findBefore((mail) => filter(mail.topic)) !== undefined
  }

  /** Removes the first message that matches. The others keep their order. */
  removeMail (matches: (mail: Mail) => boolean): Mail | undefined {
    const before = this.#findBefore(matches)
    return before === undefined ? undefined : this.#removeAfter(before)
  }

  /** The predecessor of the first message that matches. */
  #findBefore (matches: (mail: Mail) => boolean): Mail | undefined {
    let before = this.#last
    for (let i = 0; i < this.#length; i++, before = Mail.next(before!)) {
      if (matches(Mail.next(before!))) return before
    }
    return undefined
  }

  /** Calls `producer.resume()` once, when the mailbox has drained. */
  subscribeToDrain (producer: Producer): void {
    this.#producers ??= new Set()
    this.#producers.add(producer)
  }

  unsubscribeFromDrain (producer: Producer): void {
    if (this.#producers?.delete(producer) !== true) return
    if (this.#producers.size === 0) this.#producers = undefined
  }

  /** The senders of all messages of a topic; undefined if there are none. */
  sendersOf (topic: string): Set<Pid> | undefined {
    let senders: Set<Pid> | undefined
    let mail = this.#last
    for (let i = 0; i < this.#length; i++) {
      mail = Mail.next(mail!)
      if (mail.topic === topic && mail.from !== undefined) (senders ??= new Set()).add(mail.from)
    }
    return senders
  }

  /** Drops all messages and producers. @returns the number of dropped messages */
  clear (): number {
    const dropped = this.#length
    this.#last = undefined
    this.#length = 0
    this.#bytes = 0
    this.#producers = undefined
    return dropped
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

  #resumeProducers (producers: Set<Producer>): void {
    const { messages, bytes } = this.#limits
    if (this.#length > messages * 0.25 || this.#bytes > bytes * 0.25) return
    // A resumed producer may fill the mailbox again: the others then keep their place.
    for (const producer of producers) {
      this.unsubscribeFromDrain(producer)
      producer.resume()
      if (this.congested) return
    }
  }
}
