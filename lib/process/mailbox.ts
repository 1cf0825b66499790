import { Ring } from './ring.js'
import type { Mail } from './message.js'
import type { Wanted } from './receive.js'

/** What waits for room in a mailbox: told once, when the mailbox has drained. */
export interface Feeder {
  resume (): void
}

/**
 * The mail of one process, in order. It counts messages and bytes of client data: above 75 % of
 * either limit those who feed it from a socket wait, below 25 % of both they go on.
 */
export class Mailbox {
  readonly #mail = new Ring<Mail>()
  readonly #limit: number
  readonly #byteLimit: number
  #bytes = 0
  #waiting: Set<Feeder> | undefined

  constructor (limit: number, byteLimit: number) {
    this.#limit = limit
    this.#byteLimit = byteLimit
  }

  get length (): number {
    return this.#mail.length
  }

  /** A send is refused. */
  get full (): boolean {
    return this.#mail.length >= this.#limit || this.#bytes >= this.#byteLimit
  }

  /** Those who can wait should. */
  get congested (): boolean {
    return this.#mail.length >= Math.max(1, this.#limit * 0.75) || this.#bytes >= this.#byteLimit * 0.75
  }

  push (mail: Mail): void {
    this.#mail.push(mail)
    this.#bytes += mail.bytes
  }

  /** The next message, or the next whose topic is wanted. */
  take (wanted?: Wanted): Mail | undefined {
    if (wanted !== undefined) return this.remove((mail) => wanted(mail.topic))
    const mail = this.#mail.shift()
    if (mail !== undefined) this.#taken(mail)
    return mail
  }

  /** Whether a message of a wanted topic is here. */
  has (wanted?: Wanted): boolean {
    if (wanted === undefined) return this.#mail.length > 0
    for (let i = 0; i < this.#mail.length; i++) if (wanted(this.#mail.at(i).topic)) return true
    return false
  }

  /** Takes the first message that matches out. */
  remove (matches: (mail: Mail) => boolean): Mail | undefined {
    for (let i = 0; i < this.#mail.length; i++) {
      if (!matches(this.#mail.at(i))) continue
      const mail = this.#mail.removeAt(i)
      this.#taken(mail)
      return mail
    }
    return undefined
  }

  /** Has `feeder.resume()` called once the mailbox has drained. */
  wait (feeder: Feeder): void {
    this.#waiting ??= new Set()
    this.#waiting.add(feeder)
  }

  /** Takes a {@link wait} back. */
  forget (feeder: Feeder): void {
    if (this.#waiting?.delete(feeder) === true && this.#waiting.size === 0) this.#waiting = undefined
  }

  /** Drops everything. @returns how many messages were lost */
  clear (): number {
    const lost = this.#mail.length
    this.#mail.clear()
    this.#bytes = 0
    this.#waiting = undefined
    return lost
  }

  #taken (mail: Mail): void {
    this.#bytes -= mail.bytes
    if (this.#waiting !== undefined) this.#relieve(this.#waiting)
  }

  #relieve (waiting: Set<Feeder>): void {
    if (this.#mail.length > this.#limit * 0.25 || this.#bytes > this.#byteLimit * 0.25) return
    // One that goes on may fill the mailbox again: those behind it keep their turn.
    for (const feeder of waiting) {
      this.forget(feeder)
      feeder.resume()
      if (this.congested) return
    }
  }
}
