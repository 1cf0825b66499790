import { PendingAnswers } from './pending-answers.js'
import { engineTiming } from '../../timing.js'
import type { Dial, Session } from './session.js'
import { EngineState, type EngineEvents } from '../engine-state.js'
import { Subscriptions, type Listener } from '../subscriptions.js'
import { toError, type errorCodes } from '../../../errors.js'
import type {
  RegisterEntry, ClusterTransport, TransportCaps
} from '../../../../types/cluster.js'

/** Topics that are restored at once, to save round trips. */
const restoreAtOnce = 64

/** Codes of errors that no retry can help. */
const finalCodes: string[] = [
  'FST_CLUSTER_ACCESS_DENIED', 'FST_CLUSTER_CLIENT_MISSING', 'FST_CLUSTER_UNSUPPORTED'
] satisfies Array<keyof typeof errorCodes>

/** The transport of an engine behind a network: it opens one session after another. */
export class SessionTransport implements ClusterTransport {
  readonly address: string
  readonly #name: string
  readonly #dial: Dial
  readonly #state: EngineState
  readonly #subscriptions = new Subscriptions()
  readonly #answers = new PendingAnswers()
  #endPause = (): void => {}
  #session: Session | undefined
  #maxFrame = 1024 * 1024
  #dialling: AbortController | undefined
  #wasUp = false
  #sessionLoop: Promise<void> | undefined
  #failure: unknown

  constructor (name: string, dial: Dial, address: string) {
    this.#name = name
    this.address = address
    this.#dial = dial
    this.#state = new EngineState(name)
  }

  /** `maxFrame` is a default until the engine was reached once. */
  get caps (): TransportCaps {
    return { name: this.#name, maxFrame: this.#maxFrame, registry: true, probe: true }
  }

  async open (events: EngineEvents): Promise<void> {
    await this.#state.open(events, () => { this.#sessionLoop = this.#runSessions() })
  }

  async close (): Promise<void> {
    this.#state.close(this.#failure)
    this.#endPause()
    this.#dialling?.abort()
    this.#markDown()
    this.#subscriptions.clear(this.#state.unavailableError('it was closed'))
    await this.#session?.close()
    await this.#sessionLoop
  }

  publish (topic: string, frame: Uint8Array): boolean {
    if (!this.#state.up || this.#session === undefined) return false
    if (frame.length > this.#session.maxFrame) return false
    return this.#session.publish(topic, frame)
  }

  async flush (timeout: number): Promise<void> {
    await this.#request((session) => session.flush(), timeout)
  }

  async subscribe (topic: string, listener: Listener): Promise<void> {
    const confirmed = this.#subscriptions.add(topic, listener)
    const session = this.#session
    // While the engine is down, the next session subscribes to the topic before it is up.
    if (session !== undefined && this.#state.up) {
      this.#confirm(session, topic).catch(() => session.close())
    }
    await confirmed
  }

  async unsubscribe (topic: string): Promise<void> {
    const error = this.#state.unavailableError('it was unsubscribed')
    const wasSubscribed = this.#subscriptions.remove(topic, error)
    if (!wasSubscribed || !this.#state.up) return
    await this.#request((session) => session.unsubscribe(topic))
  }

  async probe (topic: string): Promise<boolean | undefined> {
    return await this.#request((session) => session.probe(topic))
  }

  async get (key: string): Promise<RegisterEntry | undefined> {
    return await this.#request((session) => session.get(key))
  }

  async cas (key: string, value: Uint8Array | undefined, revision: number): Promise<number> {
    return await this.#request((session) => session.cas(key, value, revision))
  }

  async #request<T> (
    ask: (session: Session) => Promise<T>,
    timeout = engineTiming.answerTimeout
  ): Promise<T> {
    this.#state.assertUp()
    return await this.#waitFor(timeout, ask(this.#session as Session))
  }

  async #waitFor<T> (timeout: number, answer: Promise<T>): Promise<T> {
    try {
      const late = (): Error => this.#state.unavailableError(`no answer within ${timeout} ms`)
      return await this.#answers.waitFor(answer, { clock: this.#state.clock, timeout, late })
    } catch (error) {
      if (isCoded(error)) throw error
      throw this.#state.unavailableError('it could not answer', error)
    }
  }

  async #runSessions (): Promise<void> {
    while (!this.#state.closed) {
      try {
        await this.#runSession()
      } catch (error) {
        this.#failure = error
        if (!this.#wasUp && isCoded(error) && finalCodes.includes(error.code)) {
          this.#state.failOpening(error)
          return
        }
      }
      // A random pause: all nodes reconnect when an engine is back, but not all at the same moment.
      if (!this.#state.closed) await this.#pause(100 + Math.random() * 100)
    }
  }

  /** Resolves after a delay in milliseconds, or when the transport is closed. */
  #pause (ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#state.clock.after(ms, resolve)
      this.#endPause = () => {
        timer.cancel()
        resolve()
      }
    })
  }

  async #runSession (): Promise<void> {
    const session = await this.#connect()
    try {
      this.#session = session
      this.#maxFrame = session.maxFrame
      // Further topics may be added meanwhile.
      for (;;) {
        const topics = this.#subscriptions.someUnconfirmed(restoreAtOnce)
        if (topics.length === 0) break
        await Promise.all(topics.map((topic) => this.#confirm(session, topic)))
      }
      this.#wasUp = true
      this.#state.setUp(true)
      await session.lost
    } finally {
      this.#markDown()
      this.#session = undefined
      await session.close()
    }
  }

  async #connect (): Promise<Session> {
    const dialling = this.#dialling = new AbortController()
    // The time to connect, and the time for the answers to the first requests.
    const timeout = engineTiming.dialTimeout + engineTiming.answerTimeout
    const timer = this.#state.clock.after(timeout, () => { dialling.abort() })
    try {
      const deliver = (topic: string, frame: Uint8Array): void => {
        this.#subscriptions.deliver(topic, frame)
      }
      return await this.#dial(deliver, dialling.signal, this.#state.clock)
    } finally {
      timer.cancel()
    }
  }

  #markDown (): void {
    this.#subscriptions.markUnconfirmed()
    this.#state.setUp(false)
    const error = this.#state.unavailableError('the connection was lost before the answer came')
    this.#answers.rejectAll(error)
  }

  async #confirm (session: Session, topic: string): Promise<void> {
    try {
      await this.#waitFor(engineTiming.answerTimeout, session.subscribe(topic))
      if (this.#session === session) this.#subscriptions.confirm(topic)
    } catch (error) {
      // A final error rejects a new subscription. Any other error, and one of a subscription that
      // was confirmed before, ends this session: the next session tries again.
      const isFinal = isCoded(error) && finalCodes.includes(error.code)
      if (!isFinal || !this.#subscriptions.refuse(topic, toError(error))) throw error
    }
  }
}

function isCoded (error: unknown): error is Error & { code: string } {
  return error instanceof Error && 'code' in error &&
    typeof error.code === 'string' && error.code.startsWith('FST_CLUSTER_')
}
