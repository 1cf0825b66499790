import { errorCodes, show } from '../errors.js'
import type { Answer } from './calls.js'
import type { Pid } from '../../types/pid.js'

const longestTopic = 128

function answerNobody (): void {}

/** What lies in a mailbox, and what a body gets. */
export class Mail {
  readonly topic: string
  readonly payload: unknown
  readonly from: Pid | undefined
  readonly reply: (value?: unknown) => void
  readonly fail: (error: unknown) => void
  readonly #bytes: number
  #next: Mail = this

  constructor (topic: string, payload: unknown, from: Pid | undefined, call?: Answer, bytes = 0) {
    this.topic = topic
    this.payload = payload
    this.from = from
    this.reply = call === undefined ? answerNobody : (value) => { call.reply(value) }
    this.fail = call === undefined ? answerNobody : (error) => { call.fail(error) }
    this.#bytes = bytes
  }

  /** The message behind it in its mailbox; itself where it is the only one, or in none. */
  static next (mail: Mail): Mail {
    return mail.#next
  }

  /** Lays a message of no mailbox behind another. */
  static insertAfter (before: Mail, mail: Mail): void {
    mail.#next = before.#next
    before.#next = mail
  }

  /** Takes the message behind another out: it must not keep what lies behind it. */
  static removeAfter (before: Mail): void {
    const mail = before.#next
    before.#next = mail.#next
    mail.#next = mail
  }

  /** Bytes of client data it holds in the mailbox. */
  get bytes (): number {
    return this.#bytes
  }

  /** Whether somebody waits for an answer. */
  get isCall (): boolean {
    return this.reply !== answerNobody
  }
}

/** Whether a message can have this topic, one of the system's included. */
export function isTopic (topic: unknown): topic is string {
  return typeof topic === 'string' && topic.length > 0 && topic.length <= longestTopic
}

/** Only the system itself sends topics that begin with `@`. */
export function isSystemTopic (topic: string): boolean {
  return topic.charCodeAt(0) === 64
}

/** Whether a topic can be sent by others than the system. */
export function isUserTopic (topic: unknown): topic is string {
  return isTopic(topic) && !isSystemTopic(topic)
}

/** @throws `FST_PROCESS_INVALID_TOPIC` when nobody may send it */
export function checkTopic (topic: unknown): asserts topic is string {
  if (!isUserTopic(topic)) throw new errorCodes.FST_PROCESS_INVALID_TOPIC(show(topic))
}
