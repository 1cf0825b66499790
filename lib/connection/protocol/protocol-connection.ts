import { show } from '../../errors.js'
import { invalidMessage } from '../close-reasons.js'
import { Connection } from '../connection.js'
import { Refused } from './definition.js'
import { readEnvelope } from './envelope.js'
import type { ConnectionOptions } from '../connection-options.js'
import type { DataCheck, ProtocolRules } from './definition.js'
import type { Envelope } from './envelope.js'

/** Close codes of RFC 6455 section 7.4.1: the message is no JSON, or breaks a rule. */
const notJson = 1007
const policyViolation = 1008

/** A client chooses the length of a topic and of a path, and is told no more than this of them. */
const longestShown = 128

/**
 * A connection whose client speaks a protocol: the target gets messages only that the protocol
 * accepts. It is a class of its own, so that a connection without a protocol has no check and no
 * call more for a message.
 */
export class ProtocolConnection extends Connection {
  readonly #rules: ProtocolRules
  /** An invalid message closes the connection: later messages of the client are dropped. */
  #isMuted = false

  constructor (options: ConnectionOptions, rules: ProtocolRules) {
    super(options)
    this.#rules = rules
  }

  override onMessage (data: Buffer, binary: boolean): boolean {
    this.countMessage()
    if (this.#isMuted) return true
    const envelope = binary ? {} : readEnvelope(data.toString())
    if (envelope === undefined) return this.#refuse(notJson)
    const { topic } = envelope
    if (typeof topic !== 'string') return this.#refuse(policyViolation)
    const check = this.#rules.messages.get(topic)
    if (check === undefined) return this.#refuse(policyViolation, topic)
    const checked = this.#check(check, topic, envelope)
    if (checked instanceof Refused) return this.#refuse(policyViolation, topic, checked.path)
    return this.acceptChecked(topic, checked, data.length)
  }

  /** The code of a schema may throw: that is a mistake in it, but no reason to accept the data. */
  #check (check: DataCheck, topic: string, { data }: Envelope): unknown {
    try {
      return check(data)
    } catch (err) {
      this.relay.runtime.mistakes.warnings.warn(
        { label: `${this.#rules.name} ${topic}` },
        { relayPid: this.pid, protocol: this.#rules.name, topic, err },
        'refused a message of a client, because its schema has failed'
      )
      return new Refused('')
    }
  }

  /** @returns true: the client is read on */
  #refuse (code: number, topic?: string, path = ''): true {
    this.relay.counters.invalidMessages++
    const shown = topic?.slice(0, longestShown)
    const report = { topic: shown, path: path.slice(0, longestShown) }
    const fields = { topic: shown && show(shown), path: show(report.path) }
    this.log.debug(fields, 'dropped an invalid message of the client')
    if (this.#rules.closes) this.#closeSoon(code)
    else if (!this.isOverfull) this.transport.reportInvalid?.(JSON.stringify(report))
    return true
  }

  /** Not at once: the transport is in the middle of a message. */
  #closeSoon (code: number): void {
    this.#isMuted = true
    this.relay.runtime.contextClock.soon(() => { this.close(invalidMessage(code)) })
  }
}
