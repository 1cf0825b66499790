/**
 * The states of a channel, and the reaction to each event: the next state, and the action.
 *
 * | event       | unused            | opening                 | connected                   |
 * | ----------- | ----------------- | ----------------------- | --------------------------- |
 * | send        | opening: flush    | opening: flush          | connected: flush            |
 * | engine back | unused: ping      | opening: resend, ping   | connected: resend, ping     |
 * | current     | connected: handle | connected: handle       | connected: handle           |
 * | stale       | unused: answer    | opening: answer         | connected: answer           |
 * | unknown     | unused: drop      | opening: drop           | connected: drop             |
 * | restarted   | -                 | -                       | connected: reset and handle |
 * | crossed     | -                 | -                       | unused: reset and answer    |
 * | reset       | unused: next      | unused: next and ping   | unused: next and notify     |
 * | other reset | unused: drop      | opening: drop           | connected: drop             |
 * | garbage     | unused: notify    | unused: notify          | unused: notify              |
 *
 * States: a channel is `unused` until a frame is accepted or arrives. It is `opening` when this
 * node has accepted a frame, and does not know the connection of the other node. Then it is
 * `connected`.
 *
 * Events: `send`: a frame was accepted. `engine back`: published frames may be lost. `current`,
 * `stale`, `unknown`: a batch with this {@link Verdict}. `restarted`: a batch of a new connection
 * that does not know this one. `crossed`: a batch of a new connection that knows this one. `reset`:
 * the other node asks for it, the window is exhausted, or the other node is down. `other reset`: it
 * asks for an earlier connection. `garbage`: a batch is current, and cannot be read.
 *
 * Actions: `answer` sends a reset for the connection of the batch. `next` drops all frames of both
 * directions, and begins a connection with the next number. `next and notify` also sends a reset
 * for the connection of the other node. `next and ping` announces the new connection instead,
 * because that of the other node is unknown. `notify` connects first, and then is `next and
 * notify`.
 */
import {
  batchTypes, decodeChannelHeader, decodeFrames, decodeNumber, encodeNumber
} from './codec.js'
import { ConnectionNumbers, isImplausible } from './connection-numbers.js'
import { ChannelReceiver } from './channel-receiver.js'
import { MissedMessages } from './missed-messages.js'
import { ChannelSender } from './channel-sender.js'
import type { ChannelHeader, Frame, FrameFields } from './codec.js'
import type { Verdict } from './connection-numbers.js'
import type { NodeContext } from '../context.js'
import type { RecordLoss } from './channel-sender.js'
import type { Urgency, Window } from './window.js'

/** See the table at the top of this file. */
export type ChannelState = 'unused' | 'opening' | 'connected'

/** The events that a batch can be. A current batch may turn out to be garbage when it is read. */
type BatchEvent = Verdict | 'crossed' | 'reset' | 'other reset'
type Action =
  'drop' | 'answer' | 'handle' | 'reset and handle' | 'reset and answer' |
  'next' | 'next and ping' | 'next and notify'

const always = {
  current: 'handle', stale: 'answer', unknown: 'drop', 'other reset': 'drop'
} as const

/** The rows of batches in the table above. Without an action, the event cannot happen. */
const actions: Record<ChannelState, { readonly [E in BatchEvent]?: Action } & { reset: Action }> = {
  unused: { ...always, reset: 'next' },
  opening: { ...always, reset: 'next and ping' },
  connected: {
    ...always,
    restarted: 'reset and handle',
    crossed: 'reset and answer',
    reset: 'next and notify'
  }
}

/** The peer of a channel, which publishes its batches and handles its frames. */
export interface ChannelOwner {
  /** The name of the other node. */
  readonly node: string
  /**
   * Publishes a batch to the inbox topic of the other node.
   * @returns false if the engine did not accept it
   */
  publishBatch (type: number, header: ChannelHeader, parts: readonly Uint8Array[]): boolean
  /** Calls {@link Channel.flush} at the end of the current turn of the event loop. */
  scheduleFlush (channel: Channel): void
  /** Called with each received frame, in order. @returns false if the frame is garbage */
  handleFrame (frame: Frame): boolean
  /** Called after a reset: every frame that was not delivered is lost, in both directions. */
  channelReset (why: string): void
}

/**
 * One end of the channel between an incarnation of this node and an incarnation of another node.
 * It delivers frames in order and at most once.
 *
 * How a frame travels:
 * 1. {@link sendMessage} and {@link sendFrame} accept it, or refuse it when the window is full.
 *    The sender numbers it, stores it, and publishes it with the other frames of this turn.
 * 2. The receiver of the other node handles frames in the order of their numbers. It ignores a
 *    number that it had before. It answers a gap with a nack.
 * 3. Every batch has a header with the number of the last frame that its sender received in order.
 *    That acknowledges all frames up to this number, and the other sender frees them. A node with
 *    nothing to send acknowledges with an empty batch.
 * 4. After a nack, and when the engine is back, all unacknowledged frames are published again. If
 *    nothing is acknowledged for a second, the oldest frame alone is published again.
 * 5. A ping tells the number of the last published frame. Thus the other node also notices a gap
 *    that no later frame follows.
 *
 * When order or delivery cannot be guaranteed (garbage came in, the window is exhausted, the other
 * node is down), the channel is reset: all frames of both directions are dropped, and numbers begin
 * at 1 again. Each end has a connection number that it increments with each reset. Every batch
 * carries both numbers, so the other end notices the reset and resets too. Neither end waits for
 * the other. See {@link ConnectionNumbers} for the rules.
 */
export class Channel {
  readonly #context: NodeContext
  readonly #owner: ChannelOwner
  readonly #numbers: ConnectionNumbers
  readonly #sender: ChannelSender
  readonly #receiver: ChannelReceiver
  /** Missed messages that the other node has not been told about yet. A reset keeps them. */
  readonly missedMessages = new MissedMessages()
  #pingAt: number
  #resetSentAt = -Infinity
  #resetSentFor = 0

  constructor (context: NodeContext, owner: ChannelOwner) {
    this.#context = context
    this.#owner = owner
    this.#numbers = new ConnectionNumbers(context.now())
    this.#sender = new ChannelSender(context, (frames) => this.#publish(batchTypes.frames, frames))
    this.#receiver = new ChannelReceiver(
      context,
      (frame) => owner.handleFrame(frame),
      (type) => { this.#publish(type, []) }
    )
    this.#pingAt = context.now()
  }

  get state (): ChannelState {
    if (this.#numbers.remote !== 0) return 'connected'
    return this.#sender.lastTaken > 0 ? 'opening' : 'unused'
  }

  get window (): Window {
    return this.#sender.window
  }

  get unacknowledged (): number {
    return this.#sender.unacknowledged
  }

  /** Number of records besides the frames, for tests that look for leaks. */
  get size (): number {
    return this.missedMessages.size + this.#sender.size
  }

  /** True if every accepted frame was published, and the other node knows all missed messages. */
  get isFlushed (): boolean {
    return this.#sender.isFlushed && !this.missedMessages.hasAny
  }

  // Sending

  /**
   * Adds a receiver to a message of this turn that has the same text.
   * @returns false if there is no such message
   */
  joinText (to: number, from: number, payload: unknown): boolean {
    return !this.missedMessages.hasReceiver(to) && this.#sender.joinText(to, from, payload)
  }

  /**
   * Accepts a message to one receiver. Messages of this turn with equal payloads become one frame.
   * @param payload the payload before it was encoded
   * @returns false if the message is refused
   */
  sendMessage (fields: FrameFields, payload: unknown): boolean {
    const mayJoin = !this.missedMessages.hasReceiver(fields.to!)
    if (mayJoin && this.#sender.joinContent(fields)) return true
    return this.#hasRoom('message') &&
      this.#scheduleIf(this.#sender.enqueueMessage(fields, payload))
  }

  /**
   * Accepts any other frame.
   * @param recordLoss records who misses the frame, for types that do not name one receiver
   * @returns false if the frame is refused
   */
  sendFrame (fields: FrameFields, urgency: Urgency, recordLoss?: RecordLoss): boolean {
    return this.#hasRoom(urgency) && this.#scheduleIf(this.#sender.enqueueFrame(fields, recordLoss))
  }

  #hasRoom (urgency: Urgency): boolean {
    const { window } = this
    if (window.refuses(urgency)) return false
    // The other node must know of a missed message before its receiver gets a later one.
    if (this.missedMessages.hasAny) this.#enqueueNotices()
    if (!window.exhausted) return true
    this.reset('the window is full')
    return false
  }

  #scheduleIf (accepted: boolean): boolean {
    if (accepted) this.#owner.scheduleFlush(this)
    return accepted
  }

  /** Records a refused message. The next flush tells the node of its receiver. */
  recordMissed (record: RecordLoss): void {
    record(this.missedMessages)
    this.#owner.scheduleFlush(this)
  }

  #enqueueNotices (): void {
    for (const { fields, recordLoss } of this.missedMessages.takeNotices()) {
      this.#sender.enqueueFrame(fields, recordLoss)
    }
  }

  /** Publishes every frame that has not been published. */
  flush (): void {
    if (this.missedMessages.hasAny && !this.window.full) this.#enqueueNotices()
    this.#sender.flush()
  }

  /** Called when the connection to the engine is back: unacknowledged frames may be lost. */
  resendAll (): void {
    this.#sender.rewind()
    this.#sender.flush()
    this.#sendPing()
  }

  /** Called periodically: resends and pings when it is time. */
  tick (now: number): void {
    this.#sender.tick(now)
    if (now - this.#pingAt >= this.#context.timing.ping) this.#sendPing()
  }

  #sendPing (): void {
    this.#pingAt = this.#context.now()
    this.#publish(batchTypes.ping, [encodeNumber(this.#sender.lastSent)])
  }

  #publish (type: number, parts: readonly Uint8Array[]): boolean {
    const { local, remote } = this.#numbers
    const header = { src: local, dst: remote, ack: this.#receiver.lastReceived }
    if (!this.#owner.publishBatch(type, header, parts)) return false
    this.#receiver.acknowledgementSent()
    return true
  }

  // Receiving

  /**
   * Handles a batch from the inbox of this node.
   * @param offset of the channel header
   * @returns false if the batch is garbage
   */
  receiveBatch (type: number, bytes: Buffer, offset: number): boolean {
    const header = decodeChannelHeader(bytes, offset)
    const now = this.#context.now()
    if (header === undefined || isImplausible(header.src, now)) return false
    switch (actions[this.state][this.#eventOf(type, header)]) {
      case 'handle': return this.#handleBatch(type, bytes, header)
      case 'answer':
        this.#sendReset(header.src)
        return true
      case 'reset and handle':
        this.reset('the other node has begun a new connection')
        return this.#handleBatch(type, bytes, header)
      case 'reset and answer':
        this.reset('the other node has begun a new connection')
        this.#sendReset(header.src)
        return true
      case 'next': case 'next and ping': case 'next and notify':
        // In a reset, `ack` is the highest number of ours that the other node has closed.
        this.#numbers.bump(header.ack, now)
        this.reset('the other node has reset the channel')
        return true
      default: return true
    }
  }

  #eventOf (type: number, header: ChannelHeader): BatchEvent {
    if (type === batchTypes.reset) {
      return header.dst === this.#numbers.local ? 'reset' : 'other reset'
    }
    const verdict = this.#numbers.classify(header)
    return verdict === 'restarted' && header.dst !== 0 ? 'crossed' : verdict
  }

  /** Handles a batch of the connection of the other node. @returns false if it is garbage */
  #handleBatch (
    type: number, bytes: Buffer, header: ChannelHeader & { readonly end: number }
  ): boolean {
    this.#numbers.adoptRemote(header.src)
    if (header.dst !== 0 && !this.#sender.acknowledge(header.ack)) return this.#resetForGarbage()
    if (this.missedMessages.hasAny && !this.window.full) this.#owner.scheduleFlush(this)
    switch (type) {
      case batchTypes.frames: {
        const frames = decodeFrames(bytes, header.end)
        if (frames === undefined) return this.#resetForGarbage()
        this.#receiver.receiveFrames(frames)
        return true
      }
      case batchTypes.nack:
        this.#sender.rewind()
        this.#owner.scheduleFlush(this)
        return true
      case batchTypes.ping: {
        const last = decodeNumber(bytes, header.end)
        if (last === undefined) return this.#resetForGarbage()
        this.#receiver.receivePing(last)
        return true
      }
      default: return this.#resetForGarbage()
    }
  }

  /**
   * Asks the other node to reset its connection `src`, and no other one. Repeated calls for one
   * connection send one reset per `timing.nack`: many stale batches may arrive at once.
   */
  #sendReset (src: number): void {
    const now = this.#context.now()
    const isRepeated = src === this.#resetSentFor
    if (isRepeated && now - this.#resetSentAt < this.#context.timing.nack) return
    this.#resetSentFor = src
    this.#resetSentAt = now
    const header = { src: this.#numbers.local, dst: src, ack: this.#numbers.closed }
    this.#owner.publishBatch(batchTypes.reset, header, [])
  }

  #resetForGarbage (): false {
    this.reset('garbage came in')
    return false
  }

  // The end

  /** Drops all frames of both directions, and begins a new connection with the next number. */
  reset (why: string): void {
    const action = actions[this.state].reset
    const closed = this.#numbers.startNext()
    this.#sender.reset(this.missedMessages)
    this.#receiver.reset()
    if (action !== 'next') this.#context.counters.channelTorn(this.#owner.node, why)
    if (action === 'next and notify') this.#sendReset(closed)
    if (action === 'next and ping') this.#sendPing()
    this.#owner.channelReset(why)
    if (this.missedMessages.hasAny) this.#owner.scheduleFlush(this)
  }
}
