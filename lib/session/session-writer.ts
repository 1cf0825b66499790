import { escapeFrame } from './controls.js'
import { frameOverhead, Unacknowledged } from './unacknowledged.js'
import type { Encoded, Encoder, MessageWriter, Transport } from '../connection/transport.js'
import type { CloseReason } from '../connection/close-codes.js'
import type { HostedSession, SessionHost, SessionPolicy } from './session-host.js'

/** The time from the loss of a socket until the client has sent a message on a later one. */
export interface Absence {
  readonly windowEnds: number
  /** Why the first socket was lost. */
  readonly reason: CloseReason
  /** When the last socket was lost; undefined while there is one. */
  since: number | undefined
  endedForLimit: boolean
}

/**
 * The half of a session that sends: it numbers the messages to the client, keeps them until the
 * client has acknowledged them, and sends them again on a new socket. While the client is away, the
 * messages are kept only. The subclass decides when that is.
 *
 * It is a base class and no object of its own: that would cost memory for each connection, and a
 * call for each message. No method has a `#` name: a class with such methods puts one more field
 * into each object.
 */
export abstract class SessionWriter implements MessageWriter, HostedSession {
  readonly policy: SessionPolicy
  protected readonly host: SessionHost
  /** The transport of the present socket, or of the last one. */
  protected transport: Transport
  protected readonly kept = new Unacknowledged()
  /** Present while the window is running. */
  protected absence: Absence | undefined
  /** Bytes that were replayed. They may wait for the client in addition to its limit. */
  #replayedBytes = 0

  constructor (host: SessionHost, transport: Transport, policy: SessionPolicy) {
    this.host = host
    this.transport = transport
    this.policy = policy
  }

  abstract readonly serial: number

  abstract readonly owner: string | undefined

  abstract readonly generation: number

  abstract readonly windowLeft: number

  abstract readonly endedForLimit: boolean

  abstract endForLimit (): void

  get encoder (): Encoder { return this.transport.writer.encoder }

  get keptBytes (): number { return this.kept.memory }

  protected get isAway (): boolean {
    return this.absence !== undefined && this.absence.since !== undefined
  }

  /** Whether the client can get all messages after those that it says to have. */
  canReplayAfter (received: number): boolean {
    const { acknowledged, droppedUpTo, sent } = this.kept
    return received <= sent && Math.max(received, acknowledged) >= droppedUpTo
  }

  get bufferedBytes (): number {
    if (this.isAway) return this.kept.memory
    return this.transport.writer.bufferedBytes
  }

  allowsBurst (limit: number): boolean {
    if (this.isAway) return this.allowsMoreKept(limit)
    const { writer } = this.transport
    // A client on a slow line gets time for what was replayed.
    if (writer.bufferedBytes <= limit + this.#replayedBytes) return true
    this.#replayedBytes = 0
    return writer.allowsBurst(limit)
  }

  private allowsMoreKept (limit: number): boolean {
    const { bytes, frames } = this.policy.buffer
    const extra = Math.max(0, this.kept.count - frames) * frameOverhead
    if (this.kept.bytes + extra <= limit + bytes) return true
    if (this.policy.overflow === 'close') this.endForLimit()
    return false
  }

  sendEncoded (message: Encoded, written?: () => void): void {
    const frame = escapeFrame(message)
    if (this.policy.window === 0) {
      this.kept.sent++
      return this.transport.writer.sendEncoded(frame, written)
    }
    this.kept.keep(frame, written)
    if (this.isAway) return this.host.keptBytesChanged(this, frame.length + frameOverhead)
    this.writeKept(frame, this.kept.sent)
    const { buffer } = this.policy
    if (this.kept.bytes <= buffer.bytes && this.kept.count <= buffer.frames) return
    this.kept.evict(buffer, this.transport.writer.bufferedBytes)
  }

  private writeKept (frame: Buffer, number: number): void {
    const written = this.kept.hasCallback(number)
      ? () => { this.kept.written(number) }
      : undefined
    this.transport.writer.sendEncoded(frame, written)
  }

  /** Calls back when the client has acknowledged everything that was sent until now. */
  whenAcknowledged (callback: () => void): void {
    this.kept.whenAcknowledged(callback)
  }

  /** Sends again, on a new socket, what the client has not acknowledged. */
  protected replay (): void {
    this.#replayedBytes = this.kept.bytes
    this.kept.replay((frame, number) => { this.writeKept(frame, number) })
  }

  protected acknowledge (number: number): void {
    const before = this.kept.memory
    this.kept.acknowledge(number)
    const change = this.kept.memory - before
    if (this.isAway) this.host.keptBytesChanged(this, change)
  }
}
