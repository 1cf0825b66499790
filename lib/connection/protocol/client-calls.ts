import { toError } from '../../errors.js'
import { errorText, failureText, replyText } from './wire.js'
import type { Answer, CallHost } from '../../process/calls.js'
import type { ExitListener } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'
import type { WireCode } from './wire.js'

/** Calls of one client that may wait at once. */
const maxWaiting = 64

/** The connection of a client that calls. */
export interface CallingClient {
  /** Monitors the targets of calls. */
  readonly monitors: CallHost
  sendAnswer (topic: string, text: string): void
  /** For the log: the client does not learn the cause. */
  callFailed (topic: string, err: Error): void
}

/** The calls of one client that wait for the answer of a target. */
export class ClientCalls {
  readonly client: CallingClient
  readonly #waiting = new Set<ClientCall>()

  constructor (client: CallingClient) {
    this.client = client
  }

  get isFull (): boolean {
    return this.#waiting.size >= maxWaiting
  }

  /** @param bytes of the client's message */
  begin (id: number, topic: string, bytes: number): ClientCall {
    const call = new ClientCall(this, id, topic, bytes)
    this.#waiting.add(call)
    return call
  }

  settled (call: ClientCall): void {
    this.#waiting.delete(call)
  }

  /** The connection has ended. @param isTargetGone whether the client learns it from its calls */
  end (isTargetGone: boolean): void {
    for (const call of this.#waiting) {
      if (isTargetGone) call.targetEnded()
      else call.abandon()
    }
  }
}

/**
 * One call of a client. It settles once: by an answer, by the end of the target that took it, or
 * because the connection ends. The target may have lost the connection to another one meanwhile.
 */
export class ClientCall implements Answer, ExitListener {
  readonly bytes: number
  readonly #id: number
  readonly #topic: string
  /** Undefined once it has settled. */
  #calls: ClientCalls | undefined
  #target: Pid | undefined

  constructor (calls: ClientCalls, id: number, topic: string, bytes: number) {
    this.#calls = calls
    this.#id = id
    this.#topic = topic
    this.bytes = bytes
  }

  /** Called when the target has taken the message, or refused it because it is stopping. */
  monitorTarget (target: Pid): void {
    if (this.#calls === undefined) return
    this.#target = target
    this.#calls.client.monitors.monitor(target, this)
  }

  reply (value: unknown): void {
    this.#answer(() => replyText(this.#id, value), 'the answer cannot be written as JSON')
  }

  /** Only a plain object with a code and a message reaches the client. */
  fail (error: unknown): void {
    this.#answer(() => failureText(this.#id, error), error)
  }

  /** The message did not reach a target. */
  reject (error: unknown): void {
    const { code } = error as { code?: unknown }
    if (code === 'FST_PROCESS_NOT_ALIVE') this.#settleWith('TARGET_EXITED')
    else this.#fail(error)
  }

  targetEnded (): void {
    this.#settleWith('TARGET_EXITED')
  }

  /** Nobody waits for the answer any more. */
  abandon (): void {
    this.#settle()
  }

  /** @param problem the cause, if there is no text */
  #answer (makeText: () => string | undefined, problem: unknown): void {
    if (this.#calls === undefined) return
    try {
      const text = makeText()
      if (text === undefined) this.#fail(problem)
      else this.#settle()?.sendAnswer(this.#topic, text)
    } catch (err) {
      this.#fail(err)
    }
  }

  #fail (problem: unknown): void {
    this.#calls?.client.callFailed(this.#topic, toError(problem))
    this.#settleWith('CALL_FAILED')
  }

  #settleWith (code: WireCode): void {
    this.#settle()?.sendAnswer(this.#topic, errorText(this.#id, code))
  }

  /** @returns the client; undefined if the call has settled already */
  #settle (): CallingClient | undefined {
    const calls = this.#calls
    if (calls === undefined) return undefined
    this.#calls = undefined
    calls.settled(this)
    if (this.#target !== undefined) calls.client.monitors.demonitor(this.#target, this)
    return calls.client
  }
}
