import { errorCodes, show } from '../errors.js'
import type { Answer } from './calls.js'
import type { Pid } from '../../types/pid.js'

const maxTopicLength = 128

/** Accepts the topics that a `receive` asked for. Undefined accepts all topics. */
export type TopicFilter = ((topic: string) => boolean) | undefined

function ignoreAnswer (): void {}

/** A message as a mailbox holds it and a body gets it. */
export class Mail {
  readonly topic: string
  readonly payload: unknown
  readonly from: Pid | undefined
  readonly reply: (value?: unknown) => void
  fail: (error: unknown) => void
  /** Bytes of client data, or the call that waits for an answer. It knows its bytes by itself. */
  readonly #bytesOrCall: number | Answer
  /** The next message in the circular list of a mailbox. */
  #next: Mail = this

  constructor (topic: string, payload: unknown, from: Pid | undefined, call?: Answer, bytes = 0) {
    this.topic = topic
    this.payload = payload
    this.from = from
    this.reply = call === undefined ? ignoreAnswer : (value) => { call.reply(value) }
    this.fail = call === undefined ? ignoreAnswer : (error) => { call.fail(error) }
    this.#bytesOrCall = call ?? bytes
  }

  /** The mail itself when it is alone in its mailbox, or in none. */
  static next (mail: Mail): Mail {
    return mail.#next
  }

  /** @param mail one that is in no mailbox */
  static insertAfter (before: Mail, mail: Mail): void {
    mail.#next = before.#next
    before.#next = mail
  }

  /** Removes the mail after `before`. It must not keep the messages after it in memory. */
  static removeAfter (before: Mail): void {
    const mail = before.#next
    before.#next = mail.#next
    mail.#next = mail
  }

  /** Bytes of client data that count against the mailbox limit. */
  get bytes (): number {
    return typeof this.#bytesOrCall === 'number' ? this.#bytesOrCall : this.#bytesOrCall.bytes ?? 0
  }

  /** The caller, if the message is a call. */
  get call (): Answer | undefined {
    return typeof this.#bytesOrCall === 'number' ? undefined : this.#bytesOrCall
  }
}

/** Whether a message can have this topic, system topics included. */
export function isTopic (topic: unknown): topic is string {
  return typeof topic === 'string' && topic.length > 0 && topic.length <= maxTopicLength
}

/** Topics that begin with `@` are sent by the runtime only. */
export function isSystemTopic (topic: string): boolean {
  return topic.charCodeAt(0) === 64
}

/** The topics between connections and processes. */
export const relayTopics = [
  'ws.join', 'ws.message', 'ws.heartbeat', 'ws.suspend', 'ws.resume', 'ws.expiring', 'ws.leave',
  'ws.send', 'ws.close', 'ws.control'
]

/** Whether the relay knows this topic. */
export function isRelayTopic (topic: string): boolean {
  return topic.startsWith('ws.') && relayTopics.includes(topic)
}

/** Whether users may send this topic. */
export function isUserTopic (topic: unknown): topic is string {
  return isTopic(topic) && !isSystemTopic(topic)
}

/** @throws `FST_PROCESS_INVALID_TOPIC` for a topic that users may not send */
export function checkTopic (topic: unknown): asserts topic is string {
  if (!isUserTopic(topic)) throw new errorCodes.FST_PROCESS_INVALID_TOPIC(show(topic))
}
