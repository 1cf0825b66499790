import { closeCodes } from '../connection/close-codes.js'
import { violated } from '../connection/close-reasons.js'
import {
  beginsWithNul, controls, errorFrame, helloFrame, isEscaped, parseAck, reconnectFrame
} from './controls.js'
import { SessionWriter } from './session-writer.js'
import { transitionFor } from './states.js'
import type { CloseReason } from '../connection/close-codes.js'
import type { MessageWriter, Transport, TransportEvents } from '../connection/transport.js'
import type { Deadline, Slot } from '../shared/deadline-timer.js'
import type { Hello, RefusedBecause } from './controls.js'
import type {
  Claim, SessionEvents, SessionHost, SessionTerms, ValidOffer
} from './session-host.js'
import type { SessionEvent, SessionState } from './states.js'
import type { TokenScope } from './offer.js'

/** Milliseconds between two acknowledgements while the client is not being read. */
const ackInterval = 10_000

/**
 * The transport of a client that counts messages (docs/resume.md). It holds the transport of a
 * socket and outlives it. The connection above it notices nothing.
 */
export class Session extends SessionWriter implements Transport, TransportEvents, Deadline {
  slot: Slot | undefined
  readonly owner: string | undefined
  readonly #protocol: string
  #events!: SessionEvents
  #serial = 0
  #state: SessionState = 'fresh'
  /** The generation of the token that the client surely has. The next hello carries the next. */
  #generation = 0
  /** The client broke the protocol: its further messages are dropped. */
  #isMuted = false
  /** Transports that have not called `onTransportClose`. */
  #openTransports = 1
  /** The transport was closed by the session: there is no socket. */
  #isCut = false
  #isClosed = false
  /** The upgrade that is about to resume it, or else the number of its last resume. */
  #claim: Claim | number | undefined

  constructor (
    host: SessionHost, transport: Transport, { policy, owner, protocol }: SessionTerms
  ) {
    super(host, transport, policy)
    this.owner = owner
    this.#protocol = protocol
  }

  get kind (): Transport['kind'] { return this.transport.kind }

  get writer (): MessageWriter { return this }

  get isPaused (): boolean { return !this.#isCut && this.transport.isPaused }

  get serial (): number { return this.#serial }

  get generation (): number { return this.#generation }

  /** Milliseconds since the socket was lost; undefined while there is one. */
  get away (): number | undefined {
    const since = this.absence?.since
    return since === undefined ? undefined : this.host.now() - since
  }

  /** Whether its PID lives. */
  get isAlive (): boolean {
    return this.#state !== 'ended'
  }

  /** Whether an offer can still resume it: not once its client was asked to leave the server. */
  get acceptsOffers (): boolean {
    return this.isAlive && !this.host.wasAdvised(this)
  }

  /** Milliseconds until the window ends. Only read while it is running. */
  get windowLeft (): number {
    return this.absence!.windowEnds - this.host.now()
  }

  /**
   * Sends the hello of a new session.
   * @param serial of its PID
   * @param why an earlier session was not resumed
   */
  start (serial: number, scope: TokenScope, why: RefusedBecause | undefined): void {
    this.#serial = serial
    this.#sendHello(scope, { resumed: false, from: 1, why })
  }

  #sendHello (scope: TokenScope, fields: Pick<Hello, 'resumed' | 'from' | 'why'>): void {
    const { window } = this.policy
    const token = window === 0
      ? undefined
      : this.host.tokenFor(this.#serial, scope, this.#generation + 1)
    this.receivedIsKnown()
    const { received } = this
    const hello = { token, window, received, protocol: this.#protocol, ...fields }
    this.socketWriter.sendEncoded(helloFrame(hello))
  }

  /**
   * Continues on a new socket, whose 101 is written. A socket that was open is cut.
   * @param offer the client may have acknowledged more than it says
   */
  attach (transport: Transport, { received, generation, scope }: ValidOffer): void {
    const { away } = this
    this.#apply('offer')
    // Messages that were read and that wait are dropped: the client sends them again.
    this.#cut(closeCodes.lost)
    this.host.cancel(this)
    if (away !== undefined) this.host.sessionResumed(this)
    if (this.absence !== undefined) this.absence.since = undefined
    this.#claim = this.host.countResume()
    this.useTransport(transport)
    this.#isCut = false
    this.#openTransports++
    this.#generation = generation
    this.acknowledge(received)
    this.#sendHello(scope, { resumed: true, from: this.acknowledged + 1, why: undefined })
    this.replay()
    this.#scheduleWindow()
    transport.open(this)
    this.#events.onResumed(away, this.policy.notify)
  }

  /** Nothing more is read of the socket, or written to it. */
  #cut (reason: CloseReason): void {
    if (this.#isCut) return
    this.#isCut = true
    this.transport.close(reason)
  }

  /** Ends it because the client has lost messages that are not kept any more. */
  endForGap (): void {
    this.#events.onTransportEnd(this.isAway ? this.absence!.reason : closeCodes.lost)
  }

  /** Ends it because it, or all sessions together, keep too much. */
  endForLimit (): void {
    this.absence!.endedForLimit = true
    this.#events.onTransportEnd(this.absence!.reason)
  }

  /**
   * Whether another upgrade is about to resume it, or did so while this one was under way: of two
   * at once, one wins.
   * @param resumesBefore the number of resumes of the server when this upgrade began
   */
  isClaimed (resumesBefore: number): boolean {
    const claim = this.#claim
    return typeof claim === 'number' ? claim > resumesBefore : claim?.isOpen === true
  }

  claimFor (upgrade: Claim): void {
    this.#claim = upgrade
  }

  get endedForLimit (): boolean {
    return this.absence?.endedForLimit === true
  }

  #apply (event: SessionEvent): ReturnType<typeof transitionFor> {
    const transition = transitionFor(this.#state, event)
    if (transition !== undefined) this.#state = transition.state
    return transition
  }

  // As a transport: called by the connection

  open (events: SessionEvents): void {
    this.#events = events
    this.transport.open(this)
  }

  redirect (events: SessionEvents): SessionEvents {
    const before = this.#events
    this.#events = events
    return before
  }

  /** A session needs the first message of its client on each socket, so it waits for that. */
  pause (): void {
    if (this.#state !== 'open') return
    this.transport.pause()
    this.host.schedule(this, ackInterval)
  }

  resume (): void {
    if (this.isPaused && this.#state === 'open') this.host.cancel(this)
    this.transport.resume()
  }

  /** The connection is closing: from now on no offer is accepted. */
  handOver (): void {
    this.#apply('end')
    if (this.#isCut) this.#events.onHandedOver()
    else this.transport.handOver()
  }

  close (reason: CloseReason): void {
    this.#apply('end')
    this.host.cancel(this)
    if (this.isAway) this.host.sessionEnded(this, reason)
    this.releaseKept()
    this.stopAnswering()
    this.#cut(reason)
    this.#isClosed = true
    if (this.#openTransports === 0) this.#events.onTransportClose()
  }

  /** Advises the client to open a new socket. @returns false if there is no socket to do so on */
  adviseReconnect (by: number): boolean {
    if (this.isAway || !this.isAlive) return false
    this.host.clientAdvised(this)
    this.sendAck(this.socketWriter)
    this.socketWriter.sendEncoded(reconnectFrame(by))
    return true
  }

  /** It is no message of the session: a client that is away is not told later. */
  reportInvalid (report: string): void {
    if (!this.isAway) this.socketWriter.sendEncoded(errorFrame(report))
  }

  // Events of the socket's transport

  onMessage (data: Buffer | string, bytes: number): boolean {
    if (this.#state !== 'open') {
      if (this.#isMuted) return true
      this.#firstMessage()
    }
    let message = data
    let length = bytes
    if (typeof data === 'string' && beginsWithNul(data)) {
      if (!isEscaped(data)) return this.#receiveControl(data, bytes)
      message = data.slice(1)
      length--
    }
    const isRead = this.#events.onMessage(message, length)
    const isDue = this.countReceived(bytes)
    // No data frame follows a close frame (RFC 6455 section 5.5.1).
    if (isDue && !this.isAway && !this.#isClosed) this.sendAck(this.socketWriter)
    if (!isRead && this.#state === 'open') this.host.schedule(this, ackInterval)
    return isRead
  }

  /** The client has received the hello. */
  #firstMessage (): void {
    if (this.#apply('message')?.action !== 'prove') return
    this.#generation++
    this.absence = undefined
    this.host.cancel(this)
  }

  #receiveControl (text: string, bytes: number): boolean {
    const kind = text.charCodeAt(1)
    if (kind === controls.ack) this.#receiveAck(text)
    else if (kind !== controls.ping) this.host.unknownControl()
    else if (!this.isAway) this.answerPing(this.socketWriter)
    const isRead = this.#events.onControl?.(bytes) !== false
    if (!isRead && this.#state === 'open') this.host.schedule(this, ackInterval)
    return isRead
  }

  #receiveAck (text: string): void {
    const ack = parseAck(text)
    if (!ack.ok || ack.value > this.sent) {
      this.#apply('end')
      this.#isMuted = true
      this.#events.onTransportEnd(violated(1002, 'invalid acknowledgement'))
    } else this.acknowledge(ack.value)
  }

  onTransportEnd (reason: CloseReason): void {
    const { cause } = reason
    const isLost = cause === 'lost' || cause === 'ping_timeout'
    const mayReturn = isLost && this.policy.window > 0
    const action = this.#apply(mayReturn ? 'lost' : 'end')?.action
    // Once it has ended, a better reason may follow `lost`.
    if (isLost && action === 'suspend') this.#suspend(reason, cause)
    else if (!isLost || !this.isAway) this.#events.onTransportEnd(reason)
  }

  #suspend (reason: CloseReason, cause: 'lost' | 'ping_timeout'): void {
    const since = this.host.now()
    this.host.cancel(this)
    const windowEnds = since + this.policy.window
    this.absence ??= { windowEnds, reason, since, endedForLimit: false }
    this.absence.since = since
    this.#scheduleWindow()
    this.compactKept()
    // Messages that wait for the target are handed on when it has room.
    if (!this.transport.isPaused) this.#cut(reason)
    this.#events.onSuspended(cause, this.policy.notify)
    this.host.sessionSuspended(this)
  }

  #scheduleWindow (): void {
    if (this.absence === undefined) return
    this.host.schedule(this, Math.max(0, this.windowLeft))
  }

  /** The window is over, or a client that is not read needs a sign of life. */
  due (): void {
    if (this.#state === 'open') {
      this.host.schedule(this, ackInterval)
      this.answerPing(this.socketWriter)
    } else if (this.#apply('windowOver') !== undefined) {
      this.#events.onTransportEnd(this.absence!.reason)
    }
  }

  onHandedOver (): void {
    this.#events.onHandedOver()
  }

  onTransportError (err: Error): void {
    this.#events.onTransportError(err)
  }

  onTransportClose (): void {
    this.#openTransports--
    if (this.#isClosed && this.#openTransports === 0) this.#events.onTransportClose()
  }
}
