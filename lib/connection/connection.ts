import { errorCodes, show } from '../errors.js'
import { Binding } from './binding.js'
import { frameOfSend, frameOfTopic, parseClose } from './commands.js'
import { parseControl } from './config.js'
import { ControlQueue } from './control-queue.js'
import { DeflatingSender } from '../websocket/deflate.js'
import { closeCodes, transferred } from './close-codes.js'
import { closedByClient, closedByProcess, exited, linkFailed, targetExited, violated } from './close-reasons.js'
import { closeFrame, cutReason, noCode, pingFrame, pongFrame } from '../websocket/frames.js'
import { Receiver } from '../websocket/receiver.js'
import { Sender } from '../websocket/sender.js'
import { Heartbeat, Liveness } from './liveness.js'
import { defaultFragments } from './settings.js'
import { attachConnection, bytesSent } from '../websocket/socket.js'
import { asTarget } from '../process/entity.js'
import { tookJoin } from '../process/unread-joins.js'
import type { Duplex } from 'node:stream'
import type { Answer } from '../process/calls.js'
import type { Batch, Description, Entity, Target } from '../process/entity.js'
import type { RemoteProblem } from '../process/remote-nodes.js'
import type { TargetExit, ExitListener } from '../process/exits/relations.js'
import type { ControlChange, ResolvedConfig } from './config.js'
import type { ControlRequest, ControlledConnection } from './control-queue.js'
import type { Deflate } from '../websocket/deflate.js'
import type { CloseReason, ViolationCode } from './close-codes.js'
import type { ReceiverEvents } from '../websocket/receiver.js'
import type { LivenessClient } from './liveness.js'
import type { RelayServer } from './relay-server.js'
import type { SocketReader } from '../websocket/socket.js'
import type { ConnectionSettings } from './settings.js'
import type {
  ConnectionExit, LeaveCause, Metadata, WsHeartbeat, WsJoin, WsLeave, WsMessage
} from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'
import type { Logger } from '../../types/processes.js'

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly relay: RelayServer
  readonly settings: ConnectionSettings
  readonly socket: Duplex
  readonly target: Target
  /** Of a target on another node. */
  readonly binding?: Binding
  readonly config: ResolvedConfig
  readonly deflate: Deflate | undefined
}

/** What a ping carries is known to nobody but us. */
const emptyPing = pingFrame()

/**
 * A socket as a process. It has no mailbox: what is sent to it is a frame in its outbox at once,
 * and what its client sends is mail of its target at once.
 */
export class Connection implements Entity, ReceiverEvents, SocketReader, ExitListener, LivenessClient, ControlledConnection {
  readonly pid: Pid
  readonly kind = 'ws'
  readonly trapLinks = false
  readonly #relay: RelayServer
  readonly #settings: ConnectionSettings
  readonly #socket: Duplex
  readonly #receiver: Receiver
  readonly #sender: Sender
  readonly #liveness: Liveness
  readonly #startedAt = performance.now()
  #heartbeat: Heartbeat | undefined
  #target: Target
  /** Of a target on another node. */
  #binding: Binding | undefined
  /** There while one of them waits for a target on another node. */
  #controlQueue: ControlQueue | undefined
  #topic: string
  #metadata: Metadata
  #log: Logger | undefined
  #messageCount = 0
  #droppedCount = 0
  /** How it ends: it takes nothing more, and what its client had sent is being handed on. */
  #closeReason: CloseReason | undefined
  /** It has ended as a process; the socket may still be closing. */
  #hasEnded = false
  #clientSideClosed = false

  constructor ({ relay, settings, socket, target, binding, config, deflate }: ConnectionOptions) {
    this.#relay = relay
    this.#settings = settings
    this.#socket = socket
    this.#target = target
    this.#binding = binding
    this.#topic = config.topic
    this.#metadata = config.metadata
    this.pid = relay.runtime.pids.nextPid()
    const { maxPayload } = settings
    const maxFragments = relay.options.maxFragments ?? defaultFragments(maxPayload)
    this.#receiver = new Receiver(this, socket, maxPayload, maxFragments, deflate)
    this.#sender = deflate === undefined ? new Sender(socket, relay.flusher) : new DeflatingSender(socket, relay.flusher, deflate)
    this.#liveness = new Liveness(this, relay.deadlines, relay.options)
    this.#setHeartbeat(config.heartbeat)
  }

  /** Becomes a process and joins its target. */
  open (early: readonly Buffer[]): void {
    const { runtime, sockets } = this.#relay
    sockets.add(this.#socket)
    attachConnection(this.#socket, this)
    runtime.addEntity(this)
    this.#watchTarget()
    this.#target.accept('ws.join', { client_pid: this.pid, metadata: this.#metadata } satisfies WsJoin, this.pid, 0)
    for (const bytes of early) this.onSocketData(bytes)
  }

  // From the client

  /** Bytes from the socket. */
  onSocketData (bytes: Buffer): void {
    this.#receiver.receiveChunk(bytes)
  }

  /** The first `length` bytes of a buffer that all sockets are read into. */
  onBorrowedData (bytes: Buffer, length: number): void {
    this.#receiver.receiveBorrowed(bytes, length)
  }

  onMessage (data: Buffer, binary: boolean): boolean {
    this.#messageCount++
    const payload: WsMessage = binary
      ? { client_pid: this.pid, type: 'binary', data, metadata: this.#metadata }
      : { client_pid: this.pid, type: 'text', data: data.toString(), metadata: this.#metadata }
    this.#target.accept(this.#topic, payload, this.pid, data.length)
    if (!this.#target.congested) return true
    this.#target.subscribeToDrain(this.#receiver)
    return false
  }

  onReadingResumed (): void {
    this.#liveness.readingResumed()
  }

  onPing (data: Buffer): void {
    if (this.#closeReason !== undefined) return
    // A client that pings and never reads gets no more pongs than its buffer holds, and then one for its last ping.
    if (this.#sender.bufferedBytes <= this.#settings.maxBufferedAmount) this.#sender.sendFrame(pongFrame(data))
    else this.#sender.latePong = pongFrame(data)
  }

  onPong (): void {
    this.#liveness.pongReceived()
  }

  onCloseFrame (code: number, reason: string): void {
    this.#closedByPeer(closedByClient(code, reason))
  }

  onViolation (code: ViolationCode, reason: string): void {
    this.#closedByPeer(violated(code, reason))
  }

  /** Nothing more is read of this client. */
  #closedByPeer (closeReason: CloseReason): void {
    this.#clientSideClosed = true
    if (this.#hasEnded) this.#endSocket()
    // It is what the client did before it went, and was waiting.
    else if (this.#closeReason === closeCodes.lost) this.#closeReason = closeReason
    else this.#close(closeReason)
  }

  /** The client's side of the socket has ended. */
  onSocketEnd (): void {
    this.#clientSideClosed = true
    if (this.#hasEnded) this.#endSocket()
    else this.#close(closeCodes.lost)
  }

  onSocketDrain (): void {
    this.#sender.socketDrained()
  }

  /** `closed` follows, and tells the target. */
  onSocketError (err: Error): void {
    this.log.debug({ err }, 'socket error')
  }

  // From processes

  deliver (topic: string, payload: unknown, from: Pid | undefined, call?: Answer, batch?: Batch): boolean {
    if (this.#closeReason !== undefined) return this.#refuseMessage(call, topic, 'the connection is closing')
    switch (topic) {
      case 'ws.send': return this.#sendFrame(topic, this.#encodeSend(payload, batch), call)
      case 'ws.close': return this.#closeOnRequest(payload, call)
      case 'ws.control': return this.#receiveControl(payload, call)
    }
    if (topic.startsWith('ws.')) {
      this.#relay.runtime.counters.deadLetters++
      call?.reject(new errorCodes.FST_PROCESS_REFUSED(this.pid, topic, 'a connection does not know this topic'))
      return false
    }
    if (!this.#settings.forwardTopics) return this.#refuseMessage(call, topic, 'forwardTopics is off')
    return this.#sendFrame(topic, this.#encodeTopic(topic, payload, batch), call)
  }

  /** System messages are never forwarded to a client. */
  notify (): void {}

  #encodeSend (payload: unknown, batch: Batch | undefined): Buffer | string {
    if (batch === undefined) return frameOfSend(payload, this.#relay.flusher.frames)
    batch.encoded ??= frameOfSend(payload, this.#relay.flusher.frames)
    return batch.encoded as Buffer | string
  }

  #encodeTopic (topic: string, payload: unknown, batch: Batch | undefined): Buffer | string {
    if (batch === undefined) return frameOfTopic(topic, payload)
    batch.encoded ??= frameOfTopic(topic, payload)
    return batch.encoded as Buffer | string
  }

  #sendFrame (topic: string, frame: Buffer | string, call: Answer | undefined): boolean {
    if (typeof frame === 'string') return this.#refuseMalformed(topic, frame, call)
    const { maxBufferedAmount } = this.#settings
    if (this.#sender.bufferedBytes > maxBufferedAmount && !this.#sender.allowsBurst(maxBufferedAmount)) return this.#refuseOverflow(topic, call)
    this.#countAccepted()
    this.#sender.sendFrame(frame, call && (() => { call.reply(undefined) }))
    return true
  }

  #refuseOverflow (topic: string, call: Answer | undefined): boolean {
    const refused = this.#refuseMessage(call, topic, 'the client reads too slowly')
    const { maxBufferedAmount, overflow } = this.#settings
    const isDropped = overflow === 'drop'
    if (isDropped) this.#droppedCount++
    const text = isDropped ? 'dropping frames for a client that reads too slowly' : 'closing the connection of a client that reads too slowly'
    this.#relay.overflows.warn(this, { buffered: this.#sender.bufferedBytes, maxBufferedAmount, dropped: this.#droppedCount }, text)
    if (!isDropped) this.#close(closeCodes.clientTooSlow)
    return refused
  }

  missed (count: number): void {
    if (this.#closeReason !== undefined) return
    this.#relay.runtime.counters.refused += count
    if (this.#settings.overflow === 'drop') this.#droppedCount += count
    else this.#close(closeCodes.messagesMissed)
  }

  #countAccepted (): void {
    const { counters } = this.#relay.runtime
    counters.sent++
    counters.delivered++
  }

  #refuseMessage (call: Answer | undefined, topic: string, why: string): false {
    this.#relay.runtime.counters.refused++
    call?.reject(new errorCodes.FST_PROCESS_REFUSED(this.pid, topic, why))
    return false
  }

  #refuseMalformed (topic: string, problem: string, call: Answer | undefined): false {
    this.#relay.runtime.counters.refused++
    this.log.warn({ topic }, `malformed payload: ${problem}`)
    call?.reject(new errorCodes.FST_WS_RELAY_INVALID_PAYLOAD(topic, problem))
    return false
  }

  #closeOnRequest (payload: unknown, call: Answer | undefined): boolean {
    const close = parseClose(payload)
    if (typeof close === 'string') return this.#refuseMalformed('ws.close', close, call)
    if ('refusedCode' in close) this.log.warn(`close code ${show(close.refusedCode)} may not be sent: 1011 is sent instead`)
    this.#countAccepted()
    call?.reply(undefined)
    this.#close(closedByProcess(close.code, cutReason(close.reason)))
    return true
  }

  // Transfer

  #receiveControl (payload: unknown, call: Answer | undefined): boolean {
    const result = parseControl(payload, this.#settings)
    if (!result.ok) return this.#refuseMalformed('ws.control', result.problem, call)
    const control = { change: result.change, call }
    if (this.#controlQueue === undefined && this.bindingFor(control) === undefined) return this.applyControl(control)
    this.#controlQueue ??= new ControlQueue(this)
    if (!this.#controlQueue.enqueue(control)) return this.#refuseMessage(call, 'ws.control', 'too many of them wait for targets on other nodes')
    this.#countAccepted()
    return true
  }

  bindingFor ({ change: { target } }: ControlRequest): Binding | undefined {
    return target === undefined || target === this.#target.pid ? undefined : Binding.ifRemote(this.#relay.runtime, target)
  }

  /** @returns whether it was carried out */
  applyControl (control: ControlRequest): boolean {
    const { change, call } = control
    const isKept = change.target === undefined || change.target === this.#target.pid
    const named = isKept ? this.#target : this.#relay.runtime.findEntity(change.target!)
    const target = named === this.#target ? this.#target : asTarget(named)
    if (typeof target === 'string') {
      this.#relay.runtime.counters.refused++
      return this.#rejectTransfer(control, target)
    }
    this.#countAccepted()
    if (target === this.#target) this.#applyChange(change)
    else this.#transfer(target, change)
    call?.reply(undefined)
    return true
  }

  applyRemoteControl (control: ControlRequest, binding: Binding, answer: Target | RemoteProblem): void {
    if (typeof answer === 'string') this.#rejectTransfer(control, answer)
    else {
      this.#transfer(answer, control.change, binding)
      control.call?.reply(undefined)
    }
  }

  controlQueueEmptied (): void {
    this.#controlQueue = undefined
  }

  #rejectTransfer ({ change, call }: ControlRequest, problem: string): false {
    const error = new errorCodes.FST_WS_RELAY_TRANSFER_REFUSED(this.pid, show(change.target), problem)
    this.log.warn({ err: error }, 'transfer refused')
    call?.reject(error)
    return false
  }

  #transfer (target: Target, change: ControlChange, binding?: Binding): void {
    const old = this.#target
    const oldBinding = this.#binding
    this.#target = target
    this.#binding = binding
    this.#watchTarget()
    // Whatever becomes of the old one in this moment is ignored already.
    this.#sendLeave(old, transferred.cause, undefined, transferred.leaveReason)
    this.#releaseTarget(old, oldBinding)
    this.#applyChange(change)
    target.accept('ws.join', { client_pid: this.pid, metadata: this.#metadata } satisfies WsJoin, this.pid, 0)
    if (!this.#receiver.isPaused) return
    if (target.congested) target.subscribeToDrain(this.#receiver)
    else this.#receiver.resume()
  }

  /** It is told of the end of its target. */
  #watchTarget (): void {
    if (this.#binding === undefined) this.#relay.runtime.monitor(this.#target.pid, this)
    else this.#binding.attachConnection(this)
  }

  /** Behind the leave: a binding that is released takes nothing more. */
  #releaseTarget (target: Target, binding: Binding | undefined): void {
    target.unsubscribeFromDrain(this.#receiver)
    if (binding === undefined) this.#relay.runtime.demonitor(target.pid, this)
    else binding.release()
  }

  #applyChange ({ topic, heartbeat, metadata }: ControlChange): void {
    if (topic !== undefined) this.#topic = topic
    if (metadata !== undefined) this.#metadata = metadata
    if (heartbeat !== undefined) this.#setHeartbeat(heartbeat)
  }

  #setHeartbeat (interval: number): void {
    this.#heartbeat?.stop()
    this.#heartbeat = interval === 0 ? undefined : new Heartbeat(this, this.#relay.deadlines, interval)
  }

  sendHeartbeat (): void {
    const payload: WsHeartbeat = { client_pid: this.pid, uptime: this.#uptime(), message_count: this.#messageCount, metadata: this.#metadata }
    this.#target.deliver('ws.heartbeat', payload, this.pid)
  }

  // Liveness

  sendPing (): boolean {
    const isFirst = this.#sender.bufferedBytes === 0
    this.#sender.sendFrame(emptyPing, isFirst ? undefined : () => { this.#liveness.pingTakenByKernel() })
    this.#sender.flush()
    return isFirst
  }

  get bytesSent (): number {
    return bytesSent(this.#socket)
  }

  get isBeingRead (): boolean {
    return this.#receiver.isBeingRead
  }

  get partialFrameBytes (): number {
    return this.#receiver.partialFrameBytes
  }

  pongTimedOut (): void {
    this.#close(closeCodes.pingTimeout)
  }

  /** The closing handshake took too long. */
  closeTimedOut (): void {
    this.#socket.destroy()
  }

  // The end

  targetEnded (exit: TargetExit): void {
    const { pid, reason, nodeClosing } = exit
    if (pid !== this.#target.pid) return
    if (nodeClosing === true) this.#close(closeCodes.targetNodeClosing)
    else if (this.#binding !== undefined && reason === 'noconnection') this.#close(closeCodes.targetNodeLost)
    else this.#close(targetExited(reason, tookJoin(exit, this.pid)))
  }

  linkFailed (reason: string): void {
    this.#close(linkFailed(reason))
  }

  end (reason: string): void {
    this.#close(exited(reason))
  }

  cancel (): boolean {
    this.end('shutdown')
    return true
  }

  /** It ends, after what its client had sent already. The first closeReason counts, but nothing survives a kill. */
  #close (closeReason: CloseReason): void {
    if (this.#hasEnded) return
    const isFirst = this.#closeReason === undefined
    if (isFirst || closeReason.cause === 'killed') this.#closeReason = closeReason
    if (isFirst) this.#rejectWaitingControls()
    // There is nobody left to hand it to.
    if (closeReason.cause === 'target') this.onHandedOver()
    else if (isFirst) this.#receiver.handOver()
    if (closeReason.cause === 'killed') this.onHandedOver()
  }

  /** The target that is asked keeps nothing, and who waits for an answer gets one. */
  #rejectWaitingControls (): void {
    for (const control of this.#controlQueue?.cancelAll() ?? []) this.#rejectTransfer(control, 'the connection has ended')
    this.#controlQueue = undefined
  }

  /** Ends the process; the socket closes behind it in its own time. */
  onHandedOver (): void {
    if (this.#hasEnded) return
    this.#hasEnded = true
    const closeReason = this.#closeReason!
    const { cause, code, leaveReason: reason, exitReason: exit } = closeReason
    const { runtime } = this.#relay
    this.#setHeartbeat(0)
    if (cause !== 'target') this.#sendLeave(this.#target, cause, code, reason)
    this.#releaseTarget(this.#target, this.#binding)
    this.#closeSocket(closeReason)
    const value: ConnectionExit = { code, reason, cause }
    runtime.entityEnded(this, { pid: this.pid, reason: exit, value })
  }

  #sendLeave (target: Target, cause: LeaveCause, code: number | undefined, reason: string): void {
    const payload: WsLeave = { client_pid: this.pid, reason, code, cause, metadata: this.#metadata }
    target.accept('ws.leave', payload, this.pid, 0)
  }

  #closeSocket ({ code, frameReason: told }: CloseReason): void {
    if (this.#socket.closed) return this.#receiver.dispose()
    if (told === undefined) this.#socket.destroy()
    else {
      this.#liveness.startCloseTimeout()
      this.#sender.latePong = undefined
      this.#sender.sendFrame(closeFrame(code ?? noCode, told))
      this.#sender.flush()
      if (this.#clientSideClosed) this.#endSocket()
    }
    this.#receiver.ignoreMessages()
  }

  #endSocket (): void {
    if (!this.#socket.writableEnded) this.#sender.whenFlushed(() => { this.#socket.end() })
  }

  /** The socket is gone: nothing of the connection remains. */
  onSocketClose (): void {
    this.#close(closeCodes.lost)
    this.#liveness.stop()
    this.#relay.sockets.delete(this.#socket)
    if (this.#hasEnded) this.#receiver.dispose()
  }

  // What is known of it

  get log (): Logger {
    this.#log ??= this.#relay.runtime.logger.child({ relayPid: this.pid })
    return this.#log
  }

  #uptime (): number {
    return performance.now() - this.#startedAt
  }

  describe (): Description {
    return {
      kind: this.kind,
      label: 'ws',
      status: 'waiting',
      mailbox: 0,
      monitors: [this.#target.pid],
      uptime: this.#uptime(),
      target: this.#target.pid,
      buffered: this.#sender.bufferedBytes,
      dropped: this.#droppedCount,
      messages: this.#messageCount,
      paused: this.#receiver.isPaused
    }
  }
}
