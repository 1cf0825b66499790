import { escapeFrame } from './controls.js'
import { frameOverhead, Unacknowledged } from './unacknowledged.js'
import type { Encoded, Encoder, MessageWriter, Transport } from '../connection/transport.js'
import type { CloseReason } from '../connection/close-codes.js'
import type { HostedSession, SessionHost, SessionPolicy } from './session-host.js'

/** Frames of a client that acknowledges none for so many messages are copied, so many at a time. */
const compactEvery = 256

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
 * It is a base class and no object of its own, as {@link Unacknowledged}.
 */
export abstract class SessionWriter extends Unacknowledged
  implements MessageWriter, HostedSession {
  /** The writer of `transport`. As a field, because the transport is mostly in no CPU cache. */
  protected socketWriter: MessageWriter
  readonly policy: SessionPolicy
  /** Present while the window is running. */
  protected absence: Absence | undefined
  /** The transport of the present socket, or of the last one. */
  protected transport: Transport
  protected readonly host: SessionHost
  /** Bytes that were replayed. They may wait for the client in addition to its limit. */
  #replayedBytes = 0

  constructor (host: SessionHost, transport: Transport, policy: SessionPolicy) {
    super()
    this.socketWriter = transport.writer
    this.policy = policy
    this.transport = transport
    this.host = host
  }

  /** From now on messages go to the transport of another socket. */
  protected useTransport (transport: Transport): void {
    this.transport = transport
    this.socketWriter = transport.writer
  }

  abstract readonly serial: number

  abstract readonly owner: string | undefined

  abstract readonly generation: number

  abstract readonly windowLeft: number

  abstract readonly endedForLimit: boolean

  abstract endForLimit (): void

  get encoder (): Encoder { return this.socketWriter.encoder }

  protected get isAway (): boolean {
    return this.absence !== undefined && this.absence.since !== undefined
  }

  /** Whether the client can get all messages after those that it says to have. */
  canReplayAfter (received: number): boolean {
    const { acknowledged, droppedUpTo, sent } = this
    return received <= sent && Math.max(received, acknowledged) >= droppedUpTo
  }

  get bufferedBytes (): number {
    return this.isAway ? this.keptBytes : this.socketWriter.bufferedBytes
  }

  allowsBurst (limit: number): boolean {
    if (this.isAway) return this.allowsMoreKept(limit)
    const { socketWriter } = this
    // A client on a slow line gets time for what was replayed.
    if (socketWriter.bufferedBytes <= limit + this.#replayedBytes) return true
    this.#replayedBytes = 0
    return socketWriter.allowsBurst(limit)
  }

  private allowsMoreKept (limit: number): boolean {
    const { bytes, frames } = this.policy.buffer
    const extra = Math.max(0, this.keptCount - frames) * frameOverhead
    if (this.keptFrameBytes + extra <= limit + bytes) return true
    if (this.policy.overflow === 'close') this.endForLimit()
    return false
  }

  sendEncoded (message: Encoded, written?: () => void): void {
    const frame = escapeFrame(message)
    const { policy, socketWriter } = this
    if (policy.window === 0) {
      this.sent++
      return socketWriter.sendEncoded(frame, written)
    }
    this.keep(frame, written)
    if (this.isAway) {
      this.compactLast()
      return this.host.keptBytesChanged(this, frame.length + frameOverhead)
    }
    socketWriter.sendEncoded(frame, written && this.takenCallback(this.sent))
    const { buffer } = policy
    if (this.keptCount > compactEvery && this.sent % compactEvery === 0) this.compactKept()
    if (this.keptFrameBytes <= buffer.bytes && this.keptCount <= buffer.frames) return
    this.evict(buffer, socketWriter.bufferedBytes)
  }

  /** Sends again, on a new socket, what the client has not acknowledged. */
  protected replay (): void {
    this.#replayedBytes = this.keptFrameBytes
    this.forEachKept((frame, number) => {
      this.socketWriter.sendEncoded(frame, this.takenCallback(number))
    })
  }

  override acknowledge (number: number): void {
    const before = this.keptBytes
    super.acknowledge(number)
    if (this.isAway) this.host.keptBytesChanged(this, this.keptBytes - before)
  }
}
