import { MessageOutcomes } from '../control/message-outcomes.js'
import { Heartbeat } from '../heartbeat.js'
import type { Answer } from '../../process/calls.js'
import type { CloseReason } from '../close-codes.js'
import type { ControlChange } from '../config.js'
import type { ConnectionOptions } from '../connection-options.js'
import type { HeartbeatClient } from '../heartbeat.js'
import type { BoundTarget, HeldMessage } from '../park/parked-target.js'
import type { Transport } from '../transport.js'
import type {
  Metadata, RelayTopics, WsCheckedMessage, WsHeartbeat, WsJoin, WsLeave, WsMessage
} from '../../../types/messages.js'

type Notice = 'ws.suspend' | 'ws.resume' | 'ws.expiring'

/** The part of a close reason that a target learns. A transfer has no close code. */
type LeaveReason = Pick<CloseReason, 'cause' | 'leaveReason'> & Partial<Pick<CloseReason, 'code'>>

/**
 * Everything that a target is sent by its connection: `ws.join`, the client's messages, heartbeats,
 * notices and `ws.leave`. The subclass decides which process is the target.
 *
 * It is a base class and no object of its own: that would cost memory for each idle connection, and
 * a call for each message.
 */
export abstract class TargetMessages extends MessageOutcomes implements HeartbeatClient {
  transport: Transport
  protected target: BoundTarget
  /** The time of the upgrade, by the clock of the runtime. */
  protected readonly startedAt: number
  #topic: string
  #metadata: Metadata
  #heartbeat: Heartbeat | undefined
  #messageCount = 0

  constructor ({ relay, transport, target, config }: ConnectionOptions) {
    super(relay)
    this.transport = transport
    this.target = target
    this.startedAt = relay.runtime.clock.now()
    this.#topic = config.topic
    this.#metadata = config.metadata
    this.setHeartbeat(config.heartbeat)
  }

  /** Messages of the client so far. */
  protected get messageCount (): number {
    return this.#messageCount
  }

  /** Milliseconds since the upgrade. */
  protected get uptime (): number {
    return this.relay.runtime.clock.now() - this.startedAt
  }

  /** Called with a message that the target refuses, because it takes no more mail. */
  protected abstract targetRefused (
    topic: string, payload: HeldMessage['payload'], bytes: number, call?: Answer
  ): void

  /** @returns false when the client must not be read until the target has room again */
  onMessage (data: Buffer | string, bytes: number): boolean {
    this.#messageCount++
    this.relay.counters.messagesIn++
    const payload: WsMessage = typeof data === 'string'
      ? { client_pid: this.pid, type: 'text', data, metadata: this.#metadata }
      : { client_pid: this.pid, type: 'binary', data, metadata: this.#metadata }
    if (!this.target.accept(this.#topic, payload, this.pid, bytes)) {
      this.targetRefused(this.#topic, payload, bytes)
    }
    if (!this.target.congested) return true
    this.target.subscribeToDrain(this.transport)
    return false
  }

  /** Counts a message of a client with a protocol, also one that the target does not get. */
  protected countMessage (): void {
    this.#messageCount++
    this.relay.counters.messagesIn++
  }

  /** As `onMessage`, with a message that the protocol has accepted. @param bytes of the text */
  protected acceptChecked (topic: string, data: unknown, bytes: number, call?: Answer): boolean {
    const metadata = this.#metadata
    const payload: WsCheckedMessage = { client_pid: this.pid, type: 'json', topic, data, metadata }
    if (!this.target.accept(this.#topic, payload, this.pid, bytes, call)) {
      this.targetRefused(this.#topic, payload, bytes, call)
    }
    const isFull = this.target.congested
    if (isFull) this.target.subscribeToDrain(this.transport)
    return !isFull
  }

  sendHeartbeat (): void {
    const payload: WsHeartbeat = {
      client_pid: this.pid,
      uptime: this.uptime,
      message_count: this.#messageCount,
      metadata: this.#metadata,
      ...this.#presence()
    }
    this.target.deliver('ws.heartbeat', payload, this.pid)
  }

  #presence (): { connected?: false } {
    return this.transport.away === undefined ? {} : { connected: false }
  }

  protected tellTarget<K extends Notice> (
    topic: K, fields: Omit<RelayTopics[K], 'client_pid' | 'metadata'>
  ): void {
    const payload = { client_pid: this.pid, ...fields, metadata: this.#metadata }
    this.tell(this.target, topic, payload)
  }

  protected sendJoin (rejoined: boolean): void {
    const isAway = this.transport.away !== undefined
    // Spreads of nothing cost as much as the rest, and most connections join once.
    const payload: WsJoin = rejoined || isAway
      ? {
          client_pid: this.pid,
          metadata: this.#metadata,
          ...rejoined && { rejoined: true as const },
          ...this.#presence()
        }
      : { client_pid: this.pid, metadata: this.#metadata }
    this.tell(this.target, 'ws.join', payload)
  }

  protected sendLeave (
    target: BoundTarget, { cause, code, leaveReason: reason }: LeaveReason
  ): void {
    const payload: WsLeave = { client_pid: this.pid, reason, code, cause, metadata: this.#metadata }
    this.tell(target, 'ws.leave', payload)
  }

  private tell (target: BoundTarget, topic: string, payload: object): void {
    if (!target.accept(topic, payload, this.pid, 0)) this.countStopping()
  }

  /** Sends a message that was held for the target, after its join. */
  protected sendHeld ({ payload, bytes }: HeldMessage): void {
    const message = { ...payload, metadata: this.#metadata }
    if (this.target.accept(this.#topic, message, this.pid, bytes)) return
    // A process of another node may have ended before the connection was joined to it.
    this.targetRefused(this.#topic, message, bytes)
  }

  /** Applies the fields about the messages to the target. */
  protected applyMessageFields ({ topic, heartbeat, metadata }: ControlChange): void {
    if (topic !== undefined) this.#topic = topic
    if (metadata !== undefined) this.#metadata = metadata
    if (heartbeat !== undefined) this.setHeartbeat(heartbeat)
  }

  protected setHeartbeat (interval: number): void {
    this.#heartbeat?.stop()
    this.#heartbeat =
      interval === 0 ? undefined : new Heartbeat(this, this.relay.deadlines, interval)
  }
}
