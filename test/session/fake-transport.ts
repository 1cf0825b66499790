// A transport without a socket, and the other parts that a session is connected to.
import { Session } from '../../lib/session/session.js'
import { Sessions } from '../../lib/session/sessions.js'
import { payloadStart, textFrame } from '../../lib/websocket/frames.js'
import type { CloseReason } from '../../lib/connection/close-codes.js'
import type {
  Encoder, MessageWriter, Transport, TransportEvents
} from '../../lib/connection/transport.js'
import type { Deadline } from '../../lib/shared/deadline-timer.js'
import type { SessionEvents, SessionPolicy } from '../../lib/session/session-host.js'
import type { SessionLimits } from '../../lib/session/sessions.js'
import type { Slice } from '../../lib/shared/slice.js'

/** The hello or the control in a frame, or the text. */
function show (frame: Slice): string {
  return frame.memory.toString('utf8', payloadStart(frame), frame.end)
}

export class FakeTransport implements Transport, MessageWriter {
  readonly kind = 'ws'
  readonly encoder = {} as Encoder
  readonly log: string[] = []
  /** Callbacks of frames that the kernel has not taken. */
  readonly untaken: Array<() => void> = []
  bufferedBytes = 0
  burst = false
  isPaused = false
  events!: TransportEvents

  get writer (): this { return this }

  /** The frames that were written since the last call. */
  takeLog (): string[] {
    return this.log.splice(0)
  }

  /** The hello, which is the first frame. */
  takeHello (): Record<string, any> {
    return JSON.parse(this.log.shift()!.slice(2))
  }

  allowsBurst (): boolean { return this.burst }

  sendEncoded (message: Slice, written?: () => void): void {
    this.log.push(show(message))
    if (written !== undefined) this.untaken.push(written)
  }

  /** The kernel takes what was written. */
  taken (): void {
    for (const written of this.untaken.splice(0)) written()
  }

  open (events: TransportEvents): void { this.events = events }

  redirect (events: TransportEvents): TransportEvents {
    const before = this.events
    this.events = events
    return before
  }

  pause (): void {
    this.isPaused = true
    this.log.push('(paused)')
  }

  resume (): void {
    this.isPaused = false
    this.log.push('(resumed)')
  }

  handOver (): void { this.events.onHandedOver() }

  close (reason: CloseReason): void {
    this.log.push(`(closed: ${reason.cause})`)
    this.events.onTransportClose()
  }

  /** A text message of the client. @returns whether the next one is read */
  text (text: string): boolean {
    this.isPaused = !this.events.onMessage(text, Buffer.byteLength(text))
    return !this.isPaused
  }

  lose (reason: CloseReason): void { this.events.onTransportEnd(reason) }
}

/** A connection that ends when its transport tells it to. */
export class FakeConnection implements SessionEvents {
  readonly log: string[] = []
  readonly session: Session
  hasRoom = true
  #reason: CloseReason | undefined

  constructor (session: Session) {
    this.session = session
    session.open(this)
  }

  takeLog (): string[] {
    return this.log.splice(0)
  }

  send (text: string, written?: () => void): void {
    this.session.writer.sendEncoded(textFrame(text), written)
  }

  /** As `Connection` ends. */
  end (reason: CloseReason): void {
    if (this.#reason !== undefined) return
    this.#reason = reason
    this.session.handOver()
  }

  onMessage (message: Buffer | string): boolean {
    this.log.push(typeof message === 'string' ? message : message.toString('hex'))
    return this.hasRoom
  }

  onTransportEnd (reason: CloseReason): void { this.end(reason) }

  onHandedOver (): void {
    const { away } = this.session
    this.log.push(`ended: ${this.#reason!.cause}${away === undefined ? '' : ` after ${away}`}`)
    this.session.close(this.#reason!)
  }

  onTransportError (err: Error): void { this.log.push(err.message) }
  onTransportClose (): void { this.log.push('transport closed') }

  onSuspended (cause: string, notify: boolean): void {
    if (notify) this.log.push(`suspended: ${cause}`)
  }

  onResumed (away: number | undefined, notify: boolean): void {
    if (notify && away !== undefined) this.log.push(`resumed after ${away}`)
  }
}

/** Deadlines that are due when a test advances the time. */
export class FakeDeadlines {
  time = 0
  readonly #waiting = new Map<Deadline, number>()

  get size (): number { return this.#waiting.size }

  schedule (deadline: Deadline, delay: number): void {
    this.#waiting.set(deadline, this.time + delay)
  }

  cancel (deadline: Deadline): void { this.#waiting.delete(deadline) }

  advance (ms: number): void {
    const end = this.time + ms
    for (;;) {
      const [next] = [...this.#waiting].sort(([, a], [, b]) => a - b)
      if (next === undefined || next[1] > end) break
      this.time = next[1]
      this.#waiting.delete(next[0])
      next[0].due(0)
    }
    this.time = end
  }
}

export const policy: SessionPolicy = {
  window: 60_000, buffer: { bytes: 100, frames: 10 }, overflow: 'close', notify: true
}

/** A server with its sessions. */
export class FakeServer {
  readonly deadlines = new FakeDeadlines()
  readonly sessions: Sessions
  readonly #bySerial = new Map<number, Session>()

  constructor (limits: Partial<SessionLimits> = {}) {
    this.sessions = new Sessions({
      maxSuspended: 10,
      maxResumeBytes: 10_000,
      ...limits,
      node: 'web-1',
      incarnation: 'k3x',
      deadlines: this.deadlines,
      now: () => this.deadlines.time,
      findSession: (serial) => this.#bySerial.get(serial)
    })
  }

  /** A new session on a new socket. */
  start (changes: Partial<SessionPolicy> = {}): {
    session: Session, socket: FakeTransport, connection: FakeConnection, token: string
  } {
    const socket = new FakeTransport()
    const terms = { policy: { ...policy, ...changes }, owner: undefined, protocol: 'chat' }
    const session = new Session(this.sessions, socket, terms)
    const serial = this.#bySerial.size + 1
    this.#bySerial.set(serial, session)
    session.start(serial, { origin: '', path: '/ws' }, undefined)
    const connection = new FakeConnection(session)
    const { token } = socket.takeHello()
    return { session, socket, connection, token }
  }

  /** Offers a token. @returns why it is not accepted, or the new socket of the session */
  resume (token: string, received: number, path = '/ws'): FakeTransport | string {
    const [node, incarnation, serial, mac] = token.split('.')
    const offer = { token: { node, incarnation, serial, mac }, received }
    const found = this.sessions.find(offer, { origin: '', path })
    if (!found.ok) return found.problem
    const { session, offer: valid } = found.value
    if (!(session instanceof Session)) return session.reason?.cause ?? 'full'
    if (!session.canReplayAfter(received)) {
      session.endForGap()
      return 'gap'
    }
    const socket = new FakeTransport()
    session.attach(socket, valid)
    return socket
  }
}
