import { Mail } from '../message.js'
import { Watermark } from '../../shared/watermark.js'
import type { TopicFilter } from '../message.js'
import type { Pid } from '../../../types/pid.js'

/**
 * The mail of one process, in order. Its {@link Watermark} counts messages, and bytes of clients.
 *
 * The messages are a circular linked list, without a container: most mailboxes are empty, and an
 * empty one takes no memory for messages.
 */
export class Mailbox extends Watermark {
  /** Its `next` is the first message. */
  #last: Mail | undefined

  enqueueMail (mail: Mail): void {
    if (this.#last !== undefined) Mail.insertAfter(this.#last, mail)
    this.#last = mail
    this.countAdded(mail.bytes)
  }

  /** Removes the first message, or the first one that passes `filter`. */
  dequeueMail (filter?: TopicFilter): Mail | undefined {
    if (filter !== undefined) return this.removeMail((mail) => filter(mail.topic))
    return this.#last === undefined ? undefined : this.#removeAfter(this.#last)
  }

  hasMail (filter?: TopicFilter): boolean {
    if (filter === undefined) return this.length > 0
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
    for (let i = 0; i < this.length; i++, before = Mail.next(before!)) {
      if (matches(Mail.next(before!))) return before
    }
    return undefined
  }

  /** The senders of all messages of a topic; undefined if there are none. */
  sendersOf (topic: string): Set<Pid> | undefined {
    let senders: Set<Pid> | undefined
    let mail = this.#last
    for (let i = 0; i < this.length; i++) {
      mail = Mail.next(mail!)
      if (mail.topic === topic && mail.from !== undefined) (senders ??= new Set()).add(mail.from)
    }
    return senders
  }

  /** Removes all messages and drops all producers, without a resume of them. */
  drain (): Mail[] {
    const all: Mail[] = []
    for (let mail = this.#last, i = 0; i < this.length; i++) all.push(mail = Mail.next(mail!))
    this.clear()
    return all
  }

  /** Drops all messages and producers. @returns the number of dropped messages */
  override clear (): number {
    this.#last = undefined
    return super.clear()
  }

  #removeAfter (before: Mail): Mail {
    const mail = Mail.next(before)
    if (mail === before) this.#last = undefined
    else {
      Mail.removeAfter(before)
      if (mail === this.#last) this.#last = before
    }
    this.countRemoved(mail.bytes)
    if (this.hasProducers) this.resumeProducers()
    return mail
  }
}
