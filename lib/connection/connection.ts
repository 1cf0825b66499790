import { errorCodes, show } from '../errors.js'
import { Binding } from './binding.js'
import { frameOfSend, frameOfTopic, parseClose } from './commands.js'
import { parseControl } from './config.js'
import { ControlQueue } from './control-queue.js'
import { DeflatingSender } from '../websocket/deflate.js'
import { closedByClient, closedByProcess, exited, linkFailed, lost, missedMessages, pingTimeout, targetExited, targetNodeClosing, targetNodeLost, tooSlow, violated } from './close-reasons.js'
import { closeFrame, cutReason, noCode, pingFrame, pongFrame } from '../websocket/frames.js'
import { Receiver } from '../websocket/receiver.js'
import { Sender } from '../websocket/sender.js'
import { Heartbeat, Liveness } from './liveness.js'
import { defaultFragments } from './settings.js'
import { bindSocket, bytesSent } from '../websocket/socket.js'
import { asTarget } from '../process/target.js'
import { tookJoin } from '../process/unread-joins.js'
import type { Duplex } from 'node:stream'
import type { Answer } from '../process/calls.js'
import type { Batch, Description, Entity, Target } from '../process/entity.js'
import type { RemoteProblem } from '../process/remote-nodes.js'
import type { TargetExit, ExitListener } from '../process/exits/relations.js'
import type { ControlChange, ResolvedConfig } from './config.js'
import type { Control, Controlled } from './control-queue.js'
import type { Deflate } from '../websocket/deflate.js'
import type { CloseReason } from './close-reasons.js'
import type { Listener } from '../websocket/receiver.js'
import type { ViolationCode } from '../websocket/parser.js'
import type { Monitored } from './liveness.js'
import type { RelayServer } from './relay-server.js'
import type { Reader } from '../websocket/socket.js'
import type { ConnectionSettings } from './settings.js'
import type { ConnectionExit, LeaveCause, Metadata } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'
import type { Logger } from '../../types/processes.js'

/** What a connection is made of. */
export interface ConnectionOptions {
  readonly relay: RelayServer
  readonly settings: ConnectionSettings
  readonly socket: Duplex
  readonly target: Target
  /** Of a target on another node. */
  readonly bond?: Binding
  readonly config: ResolvedConfig
  readonly deflate: Deflate | undefined
}

/** What a ping carries is known to nobody but us. */
const noPing = pingFrame()

/**
 * A socket as a process. It has no mailbox: what is sent to it is a frame in its outbox at once,
 * and what its client sends is mail of its target at once.
 */
export class Connection implements Entity, Listener, Reader, ExitListener, Monitored, Controlled {
  readonly pid: Pid
  readonly kind = 'ws'
  readonly trapLinks = false
  readonly #relay: RelayServer
  readonly #settings: ConnectionSettings
  readonly #socket: Duplex
  readonly #inbound: Receiver
  readonly #outbox: Sender
  readonly #liveness: Liveness
  readonly #startedAt = performance.now()
  #heartbeat: Heartbeat | undefined
  #target: Target
  /** Of a target on another node. */
  #bond: Binding | undefined
  /** There while one of them waits for a target on another node. */
  #controls: ControlQueue | undefined
  #topic: string
  #metadata: Metadata
  #log: Logger | undefined
  #messages = 0
  #dropped = 0
  /** How it ends: it takes nothing more, and what its client had sent is being handed on. */
  #ending: CloseReason | undefined
  /** It has ended as a process; the socket may still be closing. */
  #ended = false
  #peerClosed = false

  constructor ({ relay, settings, socket, target, bond, config, deflate }: ConnectionOptions) {
    this.#relay = relay
    this.#settings = settings
    this.#socket = socket
    this.#target = target
    this.#bond = bond
    this.#topic = config.topic
    this.#metadata = config.metadata
    this.pid = relay.runtime.pids.nextPid()
    const { maxPayload } = settings
    const maxFragments = relay.options.maxFragments ?? defaultFragments(maxPayload)
    this.#inbound = new Receiver(this, socket, maxPayload, maxFragments, deflate)
    this.#outbox = deflate === undefined ? new Sender(socket, relay.flusher) : new DeflatingSender(socket, relay.flusher, deflate)
    this.#liveness = new Liveness(this, relay.deadlines, relay.options)
    this.#setHeartbeat(config.heartbeat)
  }

  /** Becomes a process and joins its target. */
  open (early: readonly Buffer[]): void {
    const { runtime, sockets } = this.#relay
    sockets.add(this.#socket)
    bindSocket(this.#socket, this)
    runtime.addEntity(this)
    this.#bind()
    this.#target.accept('ws.join', { client_pid: this.pid, metadata: this.#metadata }, this.pid, 0)
    for (const bytes of early) this.receive(bytes)
  }

  // From the client

  /** Bytes from the socket. */
  receive (bytes: Buffer): void {
    this.#inbound.push(bytes)
  }

  /** The first `length` bytes of a buffer that all sockets are read into. */
  receiveLent (bytes: Buffer, length: number): void {
    this.#inbound.pushLent(bytes, length)
  }

  onMessage (data: Buffer, binary: boolean): boolean {
    this.#messages++
    const payload = binary
      ? { client_pid: this.pid, type: 'binary', data, metadata: this.#metadata }
      : { client_pid: this.pid, type: 'text', data: data.toString(), metadata: this.#metadata }
    this.#target.accept(this.#topic, payload, this.pid, data.length)
    if (!this.#target.congested) return true
    this.#target.subscribeToDrain(this.#inbound)
    return false
  }

  onResume (): void {
    this.#liveness.resumed()
  }

  onPing (data: Buffer): void {
    if (this.#ending !== undefined) return
    // A client that pings and never reads gets no more pongs than its buffer holds, and then one for its last ping.
    if (this.#outbox.waiting <= this.#settings.maxBufferedAmount) this.#outbox.push(pongFrame(data))
    else this.#outbox.latePong = pongFrame(data)
  }

  onPong (): void {
    this.#liveness.pong()
  }

  onCloseFrame (code: number, reason: string): void {
    this.#peerEnds(closedByClient(code, reason))
  }

  onViolation (code: ViolationCode, reason: string): void {
    this.#peerEnds(violated(code, reason))
  }

  /** Nothing more is read of this client. */
  #peerEnds (ending: CloseReason): void {
    this.#peerClosed = true
    if (this.#ended) this.#endSocket()
    // It is what the client did before it went, and was waiting.
    else if (this.#ending === lost) this.#ending = ending
    else this.#finish(ending)
  }

  /** The client's side of the socket has ended. */
  lost (): void {
    this.#peerClosed = true
    if (this.#ended) this.#endSocket()
    else this.#finish(lost)
  }

  drained (): void {
    this.#outbox.drained()
  }

  /** `closed` follows, and tells the target. */
  failed (err: Error): void {
    this.log.debug({ err }, 'socket error')
  }

  // From processes

  deliver (topic: string, payload: unknown, from: Pid | undefined, call?: Answer, batch?: Batch): boolean {
    if (this.#ending !== undefined) return this.#refuse(call, topic, 'the connection is closing')
    switch (topic) {
      case 'ws.send': return this.#push(topic, this.#encode(payload, batch), call)
      case 'ws.close': return this.#closeAsked(payload, call)
      case 'ws.control': return this.#control(payload, call)
    }
    if (topic.startsWith('ws.')) {
      this.#relay.runtime.counters.deadLetters++
      call?.reject(new errorCodes.FST_PROCESS_REFUSED(this.pid, topic, 'a connection does not know this topic'))
      return false
    }
    if (!this.#settings.forwardTopics) return this.#refuse(call, topic, 'forwardTopics is off')
    return this.#push(topic, this.#encodeTopic(topic, payload, batch), call)
  }

  /** System messages are never forwarded to a client. */
  notify (): void {}

  #encode (payload: unknown, batch: Batch | undefined): Buffer | string {
    if (batch === undefined) return frameOfSend(payload, this.#relay.flusher.frames)
    batch.encoded ??= frameOfSend(payload, this.#relay.flusher.frames)
    return batch.encoded as Buffer | string
  }

  #encodeTopic (topic: string, payload: unknown, batch: Batch | undefined): Buffer | string {
    if (batch === undefined) return frameOfTopic(topic, payload)
    batch.encoded ??= frameOfTopic(topic, payload)
    return batch.encoded as Buffer | string
  }

  #push (topic: string, frame: Buffer | string, call: Answer | undefined): boolean {
    if (typeof frame === 'string') return this.#malformed(topic, frame, call)
    const { maxBufferedAmount } = this.#settings
    if (this.#outbox.waiting > maxBufferedAmount && !this.#outbox.takesBurst(maxBufferedAmount)) return this.#overflow(topic, call)
    this.#accepted()
    this.#outbox.push(frame, call && (() => { call.reply(undefined) }))
    return true
  }

  #overflow (topic: string, call: Answer | undefined): boolean {
    const refused = this.#refuse(call, topic, 'the client reads too slowly')
    const { maxBufferedAmount, overflow } = this.#settings
    const isDropped = overflow === 'drop'
    if (isDropped) this.#dropped++
    const text = isDropped ? 'dropping frames for a client that reads too slowly' : 'closing the connection of a client that reads too slowly'
    this.#relay.overflows.warn(this, { buffered: this.#outbox.waiting, maxBufferedAmount, dropped: this.#dropped }, text)
    if (!isDropped) this.#finish(tooSlow)
    return refused
  }

  missed (count: number): void {
    if (this.#ending !== undefined) return
    this.#relay.runtime.counters.refused += count
    if (this.#settings.overflow === 'drop') this.#dropped += count
    else this.#finish(missedMessages)
  }

  #accepted (): void {
    const { counters } = this.#relay.runtime
    counters.sent++
    counters.delivered++
  }

  #refuse (call: Answer | undefined, topic: string, why: string): false {
    this.#relay.runtime.counters.refused++
    call?.reject(new errorCodes.FST_PROCESS_REFUSED(this.pid, topic, why))
    return false
  }

  #malformed (topic: string, problem: string, call: Answer | undefined): false {
    this.#relay.runtime.counters.refused++
    this.log.warn({ topic }, `malformed payload: ${problem}`)
    call?.reject(new errorCodes.FST_WS_RELAY_INVALID_PAYLOAD(topic, problem))
    return false
  }

  #closeAsked (payload: unknown, call: Answer | undefined): boolean {
    const close = parseClose(payload)
    if (typeof close === 'string') return this.#malformed('ws.close', close, call)
    if ('refusedCode' in close) this.log.warn(`close code ${show(close.refusedCode)} may not be sent: 1011 is sent instead`)
    this.#accepted()
    call?.reply(undefined)
    this.#finish(closedByProcess(close.code, cutReason(close.reason)))
    return true
  }

  // Transfer

  #control (payload: unknown, call: Answer | undefined): boolean {
    const result = parseControl(payload, this.#settings)
    if (!result.ok) return this.#malformed('ws.control', result.problem, call)
    const control = { change: result.change, call }
    if (this.#controls === undefined && this.bondFor(control) === undefined) return this.control(control)
    this.#controls ??= new ControlQueue(this)
    if (!this.#controls.add(control)) return this.#refuse(call, 'ws.control', 'too many of them wait for targets on other nodes')
    this.#accepted()
    return true
  }

  bondFor ({ change: { target } }: Control): Binding | undefined {
    return target === undefined || target === this.#target.pid ? undefined : Binding.with(this.#relay.runtime, target)
  }

  /** @returns whether it was carried out */
  control (control: Control): boolean {
    const { change, call } = control
    const isKept = change.target === undefined || change.target === this.#target.pid
    const named = isKept ? this.#target : this.#relay.runtime.findEntity(change.target!)
    const target = named === this.#target ? this.#target : asTarget(named)
    if (typeof target === 'string') {
      this.#relay.runtime.counters.refused++
      return this.#transferRefused(control, target)
    }
    this.#accepted()
    if (target === this.#target) this.#change(change)
    else this.#transfer(target, change)
    call?.reply(undefined)
    return true
  }

  targetAnswered (control: Control, bond: Binding, answer: Target | RemoteProblem): void {
    if (typeof answer === 'string') this.#transferRefused(control, answer)
    else {
      this.#transfer(answer, control.change, bond)
      control.call?.reply(undefined)
    }
  }

  controlsOver (): void {
    this.#controls = undefined
  }

  #transferRefused ({ change, call }: Control, problem: string): false {
    const error = new errorCodes.FST_WS_RELAY_TRANSFER_REFUSED(this.pid, show(change.target), problem)
    this.log.warn({ err: error }, 'transfer refused')
    call?.reject(error)
    return false
  }

  #transfer (target: Target, change: ControlChange, bond?: Binding): void {
    const old = this.#target
    const oldBond = this.#bond
    this.#target = target
    this.#bond = bond
    this.#bind()
    // Whatever becomes of the old one in this moment is ignored already.
    this.#leave(old, 'transfer', undefined, 'transferred')
    this.#unbind(old, oldBond)
    this.#change(change)
    target.accept('ws.join', { client_pid: this.pid, metadata: this.#metadata }, this.pid, 0)
    if (!this.#inbound.paused) return
    if (target.congested) target.subscribeToDrain(this.#inbound)
    else this.#inbound.resume()
  }

  /** It is told of the end of its target. */
  #bind (): void {
    if (this.#bond === undefined) this.#relay.runtime.monitor(this.#target.pid, this)
    else this.#bond.handTo(this)
  }

  /** Behind the leave: a bond that is released takes nothing more. */
  #unbind (target: Target, bond: Binding | undefined): void {
    target.unsubscribeFromDrain(this.#inbound)
    if (bond === undefined) this.#relay.runtime.demonitor(target.pid, this)
    else bond.release()
  }

  #change ({ topic, heartbeat, metadata }: ControlChange): void {
    if (topic !== undefined) this.#topic = topic
    if (metadata !== undefined) this.#metadata = metadata
    if (heartbeat !== undefined) this.#setHeartbeat(heartbeat)
  }

  #setHeartbeat (interval: number): void {
    this.#heartbeat?.stop()
    this.#heartbeat = interval === 0 ? undefined : new Heartbeat(this, this.#relay.deadlines, interval)
  }

  beat (): void {
    const payload = { client_pid: this.pid, uptime: this.#uptime(), message_count: this.#messages, metadata: this.#metadata }
    this.#target.deliver('ws.heartbeat', payload, this.pid)
  }

  // Liveness

  ping (): boolean {
    const isFirst = this.#outbox.waiting === 0
    this.#outbox.push(noPing, isFirst ? undefined : () => { this.#liveness.pingSent() })
    this.#outbox.flush()
    return isFirst
  }

  get bytesSent (): number {
    return bytesSent(this.#socket)
  }

  get isBeingRead (): boolean {
    return this.#inbound.isBeingRead
  }

  get bytesHeld (): number {
    return this.#inbound.bytesHeld
  }

  silent (): void {
    this.#finish(pingTimeout)
  }

  /** The closing handshake took too long. */
  cut (): void {
    this.#socket.destroy()
  }

  // The end

  targetEnded (exit: TargetExit): void {
    const { pid, reason, nodeClosing } = exit
    if (pid !== this.#target.pid) return
    if (nodeClosing === true) this.#finish(targetNodeClosing)
    else if (this.#bond !== undefined && reason === 'noconnection') this.#finish(targetNodeLost)
    else this.#finish(targetExited(reason, tookJoin(exit, this.pid)))
  }

  linkFailed (reason: string): void {
    this.#finish(linkFailed(reason))
  }

  end (reason: string): void {
    this.#finish(exited(reason))
  }

  cancel (): boolean {
    this.end('shutdown')
    return true
  }

  /** It ends, after what its client had sent already. The first ending counts, but nothing survives a kill. */
  #finish (ending: CloseReason): void {
    if (this.#ended) return
    const isFirst = this.#ending === undefined
    if (isFirst || ending.cause === 'killed') this.#ending = ending
    if (isFirst) this.#abandonControls()
    // There is nobody left to hand it to.
    if (ending.cause === 'target') this.onDrained()
    else if (isFirst) this.#inbound.drain()
    if (ending.cause === 'killed') this.onDrained()
  }

  /** The target that is asked keeps nothing, and who waits for an answer gets one. */
  #abandonControls (): void {
    for (const control of this.#controls?.abandon() ?? []) this.#transferRefused(control, 'the connection has ended')
    this.#controls = undefined
  }

  /** Ends the process; the socket closes behind it in its own time. */
  onDrained (): void {
    if (this.#ended) return
    this.#ended = true
    const ending = this.#ending!
    const { cause, code, reason, exit } = ending
    const { runtime } = this.#relay
    this.#setHeartbeat(0)
    if (cause !== 'target') this.#leave(this.#target, cause, code, reason)
    this.#unbind(this.#target, this.#bond)
    this.#closeSocket(ending)
    const value: ConnectionExit = { code, reason, cause }
    runtime.entityEnded(this, { pid: this.pid, reason: exit, value })
  }

  #leave (target: Target, cause: LeaveCause, code: number | undefined, reason: string): void {
    const payload = { client_pid: this.pid, reason, code, cause, metadata: this.#metadata }
    target.accept('ws.leave', payload, this.pid, 0)
  }

  #closeSocket ({ code, told }: CloseReason): void {
    if (this.#socket.closed) return this.#inbound.release()
    if (told === undefined) this.#socket.destroy()
    else {
      this.#liveness.closing()
      this.#outbox.latePong = undefined
      this.#outbox.push(closeFrame(code ?? noCode, told))
      this.#outbox.flush()
      if (this.#peerClosed) this.#endSocket()
    }
    this.#inbound.ignore()
  }

  #endSocket (): void {
    if (!this.#socket.writableEnded) this.#outbox.afterAll(() => { this.#socket.end() })
  }

  /** The socket is gone: nothing of the connection remains. */
  closed (): void {
    this.#finish(lost)
    this.#liveness.stop()
    this.#relay.sockets.delete(this.#socket)
    if (this.#ended) this.#inbound.release()
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
      buffered: this.#outbox.waiting,
      dropped: this.#dropped,
      messages: this.#messages,
      paused: this.#inbound.paused
    }
  }
}
