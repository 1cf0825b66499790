import { show } from '../../errors.js'
import { invalidMessage } from '../close-reasons.js'
import { notJsonProblem } from '../commands.js'
import { Connection } from '../connection.js'
import { ClientCalls } from './client-calls.js'
import { longestShown, Refused } from './definition.js'
import { readEnvelope } from './envelope.js'
import { ServerCalls } from './server-calls.js'
import { callText, errorText, isCallId, isWireError } from './wire.js'
import type { Answer, CallHost } from '../../process/calls.js'
import type { Batch } from '../../process/batch.js'
import type { Pid } from '../../../types/pid.js'
import type { CloseReason } from '../close-codes.js'
import type { ConnectionOptions } from '../connection-options.js'
import type { CallingClient } from './client-calls.js'
import type { DataCheck, ProtocolRules } from './definition.js'
import type { Envelope } from './envelope.js'

/** Close codes of RFC 6455 section 7.4.1: the message is no JSON, or breaks a rule. */
const notJson = 1007
const policyViolation = 1008

/**
 * A connection whose client speaks a protocol: the target gets messages only that the protocol
 * accepts. It is a class of its own, so that a connection without a protocol has no check and no
 * call more for a message.
 */
export class ProtocolConnection extends Connection implements CallingClient {
  readonly #rules: ProtocolRules
  /** Made for the first call of the client. */
  #clientCalls: ClientCalls | undefined
  /** Made for the first call to the client. */
  #serverCalls: ServerCalls | undefined
  /** An invalid message closes the connection: later messages of the client are dropped. */
  #isMuted = false

  constructor (options: ConnectionOptions, rules: ProtocolRules) {
    super(options)
    this.#rules = rules
  }

  // From the client

  override onMessage (message: Buffer | string, bytes: number): boolean {
    this.countMessage()
    if (this.#isMuted) return true
    const envelope = typeof message === 'string' ? readEnvelope(message) : {}
    if (envelope === undefined) return this.#refuse(notJson)
    const { topic, re } = envelope
    if (typeof topic === 'string') return this.#receiveMessage(topic, envelope, bytes)
    return isCallId(re) ? this.#receiveAnswer(re, envelope) : this.#refuse(policyViolation)
  }

  #receiveMessage (topic: string, { data, id }: Envelope, bytes: number): boolean {
    if (id !== undefined && !isCallId(id)) return this.#refuse(policyViolation, topic)
    const check = this.#rules.messages.get(topic)
    if (check === undefined) {
      if (id !== undefined) this.sendAnswer(topic, errorText(id, 'UNKNOWN_TOPIC'))
      return this.#refuse(policyViolation, topic, '', id === undefined)
    }
    const checked = this.#check(check, topic, data)
    if (checked instanceof Refused) {
      const { path } = checked
      if (id !== undefined) this.sendAnswer(topic, errorText(id, 'INVALID_MESSAGE', path))
      return this.#refuse(policyViolation, topic, path, id === undefined)
    }
    if (id === undefined) return this.acceptChecked(topic, checked, bytes)
    return this.#receiveCall(topic, checked, id, bytes)
  }

  #receiveCall (topic: string, data: unknown, id: number, bytes: number): boolean {
    const calls = this.#clientCalls ??= new ClientCalls(this)
    if (calls.isFull) {
      this.sendAnswer(topic, errorText(id, 'TOO_MANY_CALLS'))
      return true
    }
    const call = calls.begin(id, topic, bytes)
    const { pid } = this.target
    const isRead = this.acceptChecked(topic, data, bytes, call)
    call.monitorTarget(pid)
    return isRead
  }

  /** A late answer vanishes. */
  #receiveAnswer (id: number, { data, error }: Envelope): boolean {
    const waiting = this.#serverCalls?.find(id)
    if (waiting === undefined) return true
    const { topic, check, call } = waiting
    if (error === undefined) {
      const checked = this.#check(check, topic, data)
      if (!(checked instanceof Refused)) {
        call.reply(checked)
        return true
      }
      call.fail(new TypeError(`the answer of the client is invalid at '${show(checked.path)}'`))
      return this.#refuse(policyViolation, topic, checked.path)
    }
    if (isWireError(error)) {
      call.fail({ code: error.code, message: error.message })
      return true
    }
    call.fail(new TypeError('the error of the client has no code and no message'))
    return this.#refuse(policyViolation, topic)
  }

  /** The code of a schema may throw: that is a mistake in it, but no reason to accept the data. */
  #check (check: DataCheck, topic: string, data: unknown): unknown {
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

  /**
   * @param isReported whether the client is told, if its transport can: a call has its answer
   * @returns true: the client is read on
   */
  #refuse (code: number, topic?: string, path = '', isReported = true): true {
    this.relay.counters.invalidMessages++
    const shown = topic?.slice(0, longestShown)
    const fields = { topic: shown && show(shown), path: show(path) }
    this.log.debug(fields, 'dropped an invalid message of the client')
    if (this.#rules.closes) this.#closeSoon(code)
    else if (isReported && !this.isOverfull) {
      this.transport.reportInvalid?.(JSON.stringify({ topic: shown, path }))
    }
    return true
  }

  /** Not at once: the transport is in the middle of a message. */
  #closeSoon (code: number): void {
    this.#isMuted = true
    this.relay.runtime.contextClock.soon(() => { this.close(invalidMessage(code)) })
  }

  // The calls of the client

  get monitors (): CallHost {
    return this.relay.runtime.exitSignals
  }

  sendAnswer (topic: string, text: string): void {
    this.sendText(topic, text)
  }

  callFailed (topic: string, err: Error): void {
    this.log.warn({ topic, err }, 'a call of a client has failed')
  }

  // To the client

  override deliver (
    topic: string, payload: unknown, from: Pid | undefined, call?: Answer, batch?: Batch
  ): boolean {
    const check = call && this.#rules.answers.get(topic)
    if (check === undefined || !this.isOpen || !this.settings.forwardTopics) {
      return super.deliver(topic, payload, from, call, batch)
    }
    const calls = this.#serverCalls ??= new ServerCalls()
    let text: string | undefined
    try {
      text = callText(topic, payload, calls.nextId)
    } catch {
      // A getter or a method of the payload throws.
    }
    if (text === undefined) return this.refuseMalformed(topic, notJsonProblem, call)
    if (!this.sendText(topic, text)) return false
    calls.add({ topic, check, call: call! })
    return true
  }

  protected override leaveTarget (reason: CloseReason): void {
    super.leaveTarget(reason)
    this.#clientCalls?.end(reason.cause === 'target')
    this.#serverCalls?.end()
  }
}
