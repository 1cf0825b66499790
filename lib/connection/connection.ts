import { errorCodes, show } from '../errors.js'
import { BoundClient } from './bound-client.js'
import { closeCodes } from './close-codes.js'
import { closedByClient, closedByProcess, exited, linkFailed, violated } from './close-reasons.js'
import { frameOfSend, frameOfTopic, parseClose } from './commands.js'
import { Liveness } from './liveness.js'
import { defaultFragments } from './settings.js'
import { DeflatingSender } from '../websocket/deflate.js'
import { closeFrame, cutReason, noCode, pingFrame, pongFrame } from '../websocket/frames.js'
import { Receiver } from '../websocket/receiver.js'
import { Sender } from '../websocket/sender.js'
import { attachConnection, bytesSent } from '../websocket/socket.js'
import type { Duplex } from 'node:stream'
import type { Answer } from '../process/calls.js'
import type { Batch, Description, Entity } from '../process/entity.js'
import type { BoundClientOptions } from './bound-client.js'
import type { CloseReason, ViolationCode } from './close-codes.js'
import type { LivenessClient } from './liveness.js'
import type { Deflate } from '../websocket/deflate.js'
import type { ReceiverEvents } from '../websocket/receiver.js'
import type { SocketReader } from '../websocket/socket.js'
import type { ConnectionExit } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

export interface ConnectionOptions extends BoundClientOptions {
  readonly socket: Duplex
  readonly deflate: Deflate | undefined
}

/**
 * A client's socket as a process. It has no mailbox: a message to its PID becomes a frame in its
 * sender at once, and a message of its client goes into the mailbox of its target at once.
 *
 * It closes in three steps: `close` refuses further messages to the PID, `onHandedOver` ends the
 * PID after the messages that the client had already sent, and `onSocketClose` releases the rest.
 */
export class Connection extends BoundClient
  implements Entity, ReceiverEvents, SocketReader, LivenessClient {
  readonly kind = 'ws'
  protected readonly receiver: Receiver
  readonly #socket: Duplex
  readonly #sender: Sender
  readonly #liveness: Liveness
  #droppedCount = 0
  /** Set once closing: no message is accepted; messages already received are still delivered. */
  #closeReason: CloseReason | undefined
  /** The PID has ended. The socket may still be open for the closing handshake. */
  #hasEnded = false
  /** The client has sent its last frame. */
  #clientSideClosed = false

  constructor (options: ConnectionOptions) {
    super(options)
    const { relay, settings: { maxPayload }, socket, deflate } = options
    const { flusher } = relay
    const maxFragments = relay.options.maxFragments ?? defaultFragments(maxPayload)
    this.receiver = new Receiver(this, socket, maxPayload, maxFragments, deflate)
    this.#socket = socket
    this.#sender = deflate === undefined
      ? new Sender(socket, flusher)
      : new DeflatingSender(socket, flusher, deflate)
    this.#liveness = new Liveness(this, relay.deadlines, relay.options)
  }

  /** A getter, because a field costs memory in each connection. */
  get trapLinks (): boolean {
    return false
  }

  /**
   * Registers the PID, joins the target and reads the socket.
   * @param early bytes that the client sent after its handshake
   */
  open (early: readonly Buffer[]): void {
    this.relay.sockets.add(this.#socket)
    attachConnection(this.#socket, this)
    this.relay.runtime.addEntity(this)
    this.relay.runtime.counters.connectionOpened()
    this.joinTarget()
    for (const bytes of early) this.onSocketData(bytes)
  }

  // From the client

  onSocketData (bytes: Buffer): void {
    this.receiver.receiveChunk(bytes)
  }

  onBorrowedData (bytes: Buffer, length: number): void {
    this.receiver.receiveBorrowed(bytes, length)
  }

  onReadingResumed (): void {
    this.#liveness.readingResumed()
  }

  onPing (data: Buffer): void {
    if (this.#closeReason !== undefined) return
    // Pongs for a client that does not read are limited by its buffer. Beyond that, only the last
    // ping is answered.
    const hasRoom = this.#sender.bufferedBytes <= this.settings.maxBufferedAmount
    if (hasRoom) this.#sender.sendFrame(pongFrame(data))
    else this.#sender.latePong = pongFrame(data)
  }

  onPong (): void {
    this.#liveness.pongReceived()
  }

  onCloseFrame (code: number, reason: string): void {
    this.#closeByClient(closedByClient(code, reason))
  }

  onViolation (code: ViolationCode, reason: string): void {
    this.#closeByClient(violated(code, reason))
  }

  onSocketEnd (): void {
    this.#clientSideClosed = true
    if (this.#hasEnded) this.#endSocket()
    else this.close(closeCodes.lost)
  }

  onSocketDrain (): void {
    this.#sender.socketDrained()
  }

  /** Node calls `onSocketClose` next, which closes the connection. */
  onSocketError (err: Error): void {
    this.log.debug({ err }, 'socket error')
  }

  /** Nothing more is read of this client. */
  #closeByClient (closeReason: CloseReason): void {
    this.#clientSideClosed = true
    if (this.#hasEnded) this.#endSocket()
    // The close frame was queued before the socket was lost, so it wins over `lost`.
    else if (this.#closeReason === closeCodes.lost) this.#closeReason = closeReason
    else this.close(closeReason)
  }

  // From processes

  deliver (
    topic: string, payload: unknown, from: Pid | undefined, call?: Answer, batch?: Batch
  ): boolean {
    if (this.#closeReason !== undefined) {
      return this.refuseMessage(call, topic, 'stopping', 'the connection is closing')
    }
    switch (topic) {
      case 'ws.send': return this.#sendFrame(topic, this.#encodeSend(payload, batch), call)
      case 'ws.close': return this.#closeOnRequest(payload, call)
      case 'ws.control': return this.receiveControl(payload, call)
    }
    if (topic.startsWith('ws.')) {
      this.relay.runtime.counters.deadLetter('unhandled')
      const problem = 'a connection does not know this topic'
      call?.reject(new errorCodes.FST_PROCESS_REFUSED(this.pid, topic, problem))
      return false
    }
    if (!this.settings.forwardTopics) {
      return this.refuseMessage(call, topic, 'topic', 'forwardTopics is off')
    }
    return this.#sendFrame(topic, this.#encodeTopic(topic, payload, batch), call)
  }

  /** System messages are never forwarded to a client. */
  notify (): void {}

  #encodeSend (payload: unknown, batch: Batch | undefined): Buffer | string {
    if (batch === undefined) return frameOfSend(payload, this.relay.flusher.frames)
    batch.encoded ??= frameOfSend(payload, this.relay.flusher.frames)
    return batch.encoded as Buffer | string
  }

  #encodeTopic (topic: string, payload: unknown, batch: Batch | undefined): Buffer | string {
    if (batch === undefined) return frameOfTopic(topic, payload)
    batch.encoded ??= frameOfTopic(topic, payload)
    return batch.encoded as Buffer | string
  }

  /**
   * @param frame a string says why the payload is malformed. It is no `Result`, because one would
   * be allocated for each message
   */
  #sendFrame (topic: string, frame: Buffer | string, call: Answer | undefined): boolean {
    if (typeof frame === 'string') return this.refuseMalformed(topic, frame, call)
    const { maxBufferedAmount } = this.settings
    const isFull = this.#sender.bufferedBytes > maxBufferedAmount
    if (isFull && !this.#sender.allowsBurst(maxBufferedAmount)) {
      return this.#refuseOverflow(topic, call)
    }
    this.countAccepted()
    this.#sender.sendFrame(frame, call && (() => { call.reply(undefined) }))
    return true
  }

  #refuseOverflow (topic: string, call: Answer | undefined): false {
    this.refuseMessage(call, topic, 'slow', 'the client reads too slowly')
    const { maxBufferedAmount, overflow } = this.settings
    const isDropped = overflow === 'drop'
    if (isDropped) this.#droppedCount++
    const text = isDropped
      ? 'dropping frames for a client that reads too slowly'
      : 'closing the connection of a client that reads too slowly'
    const buffered = this.#sender.bufferedBytes
    const dropped = this.#droppedCount
    this.relay.overflows.warn(this, { buffered, maxBufferedAmount, dropped }, text)
    if (!isDropped) this.close(closeCodes.clientTooSlow)
    return false
  }

  missed (count: number): void {
    if (this.#closeReason !== undefined) return
    this.relay.runtime.counters.messageRefused('missed', count)
    if (this.settings.overflow === 'drop') this.#droppedCount += count
    else this.close(closeCodes.messagesMissed)
  }

  #closeOnRequest (payload: unknown, call: Answer | undefined): boolean {
    const parsed = parseClose(payload)
    if (!parsed.ok) return this.refuseMalformed('ws.close', parsed.problem, call)
    const request = parsed.value
    if ('refusedCode' in request) {
      const refused = show(request.refusedCode)
      this.log.warn(`close code ${refused} may not be sent: 1011 is sent instead`)
    }
    this.countAccepted()
    call?.reply(undefined)
    this.close(closedByProcess(request.code, cutReason(request.reason)))
    return true
  }

  // Liveness

  sendPing (): boolean {
    const isFirst = this.#sender.bufferedBytes === 0
    const written = isFirst ? undefined : () => { this.#liveness.pingTakenByKernel() }
    this.#sender.sendFrame(pingFrame(), written)
    this.#sender.flush()
    return isFirst
  }

  get bytesSent (): number {
    return bytesSent(this.#socket)
  }

  get isBeingRead (): boolean {
    return this.receiver.isBeingRead
  }

  get partialFrameBytes (): number {
    return this.receiver.partialFrameBytes
  }

  pongTimedOut (): void {
    this.close(closeCodes.pingTimeout)
  }

  closeTimedOut (): void {
    this.#socket.destroy()
  }

  // The end

  linkFailed (reason: string): void {
    this.close(linkFailed(reason))
  }

  end (reason: string): void {
    this.close(exited(reason))
  }

  cancel (): boolean {
    this.end('shutdown')
    return true
  }

  /**
   * Ends the PID once the messages already received are delivered. The first reason counts. There
   * are two exceptions: `killed` replaces any other, and a close frame of the client replaces
   * `lost`.
   */
  protected close (closeReason: CloseReason): void {
    if (this.#hasEnded) return
    const isFirst = this.#closeReason === undefined
    if (isFirst || closeReason.cause === 'killed') this.#closeReason = closeReason
    if (isFirst) this.rejectQueuedControls()
    // A target that has ended takes no more messages.
    if (closeReason.cause === 'target') this.onHandedOver()
    else if (isFirst) this.receiver.handOver()
    if (closeReason.cause === 'killed') this.onHandedOver()
  }

  /** Ends the PID. The closing handshake goes on without it. */
  onHandedOver (): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const closeReason = this.#closeReason!
    this.leaveTarget(closeReason)
    this.#closeSocket(closeReason)
    const { code, leaveReason: reason, cause, exitReason } = closeReason
    const value: ConnectionExit = { code, reason, cause }
    this.relay.runtime.entityEnded(this, { pid: this.pid, reason: exitReason, value })
  }

  #closeSocket ({ code, frameReason }: CloseReason): void {
    if (this.#socket.closed) return this.receiver.dispose()
    if (frameReason === undefined) this.#socket.destroy()
    else {
      this.#liveness.startCloseTimeout()
      this.#sender.latePong = undefined
      this.#sender.sendFrame(closeFrame(code ?? noCode, frameReason))
      this.#sender.flush()
      if (this.#clientSideClosed) this.#endSocket()
    }
    this.receiver.ignoreMessages()
  }

  #endSocket (): void {
    if (!this.#socket.writableEnded) this.#sender.whenFlushed(() => { this.#socket.end() })
  }

  /** Releases everything that the connection still holds. */
  onSocketClose (): void {
    this.close(closeCodes.lost)
    this.#liveness.stop()
    this.relay.sockets.delete(this.#socket)
    // Otherwise a message is still being inflated, and `onHandedOver` follows.
    if (this.#hasEnded) this.receiver.dispose()
  }

  describe (): Description {
    return {
      kind: this.kind,
      label: 'ws',
      status: 'waiting',
      mailbox: 0,
      monitors: [this.target.pid],
      uptime: this.uptime,
      target: this.target.pid,
      buffered: this.#sender.bufferedBytes,
      dropped: this.#droppedCount,
      messages: this.messageCount,
      paused: this.receiver.isPaused
    }
  }
}
