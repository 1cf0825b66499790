import { errorCodes, show } from '../errors.js'
import { Binding } from './binding.js'
import { closeCodes, transferred } from './close-codes.js'
import { targetExited } from './close-reasons.js'
import { parseControl } from './config.js'
import { ControlQueue } from './control-queue.js'
import { Heartbeat } from './heartbeat.js'
import { asTarget } from '../process/entity.js'
import { tookJoin } from '../process/exits/unread-joins.js'
import type { Answer } from '../process/calls.js'
import type { Target } from '../process/entity.js'
import type { ExitListener, TargetExit } from '../process/exits/relations.js'
import type { BindResult } from '../process/remote/remote-nodes.js'
import type { CloseReason } from './close-codes.js'
import type { ControlChange, ResolvedConfig } from './config.js'
import type { ControlRequest, ControlledConnection } from './control-queue.js'
import type { HeartbeatClient } from './heartbeat.js'
import type { RelayServer } from './relay-server.js'
import type { ConnectionSettings } from './settings.js'
import type { Transport } from './transport.js'
import type {
  LeaveCause, Metadata, WsHeartbeat, WsJoin, WsLeave, WsMessage, WsResume, WsSuspend
} from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'
import type { Logger } from '../../types/options.js'
import type { RefusalReason } from '../../types/stats.js'

export interface ConnectionOptions {
  readonly relay: RelayServer
  readonly transport: Transport
  readonly settings: ConnectionSettings
  readonly target: Target
  /** Present if the target is a process of another node. */
  readonly binding?: Binding
  readonly config: ResolvedConfig
}

/**
 * The half of a connection that faces its target: `ws.join`, the client's messages, heartbeats,
 * `ws.control` and `ws.leave`.
 *
 * It is a base class and no object of its own: that would cost memory for each idle connection, and
 * a call for each message.
 */
export abstract class BoundClient implements ExitListener, ControlledConnection, HeartbeatClient {
  readonly pid: Pid
  protected readonly relay: RelayServer
  protected readonly settings: ConnectionSettings
  readonly transport: Transport
  readonly #startedAt: number
  #target: Target
  /** Present while the target is a process of another node. */
  #binding: Binding | undefined
  #topic: string
  #metadata: Metadata
  #heartbeat: Heartbeat | undefined
  /** Present while a `ws.control` waits for the answer of another node. */
  #controlQueue: ControlQueue | undefined
  #messageCount = 0
  #log: Logger | undefined

  constructor ({ relay, transport, settings, target, binding, config }: ConnectionOptions) {
    this.pid = relay.runtime.pids.nextPid()
    this.relay = relay
    this.transport = transport
    this.settings = settings
    this.#startedAt = relay.runtime.clock.now()
    this.#target = target
    this.#binding = binding
    this.#topic = config.topic
    this.#metadata = config.metadata
    this.setHeartbeat(config.heartbeat)
  }

  protected get target (): Target {
    return this.#target
  }

  /** Messages of the client so far. */
  protected get messageCount (): number {
    return this.#messageCount
  }

  /** Milliseconds since the upgrade. */
  protected get uptime (): number {
    return this.relay.runtime.clock.now() - this.#startedAt
  }

  get log (): Logger {
    this.#log ??= this.relay.runtime.logger.child({ relayPid: this.pid })
    return this.#log
  }

  protected abstract close (closeReason: CloseReason): void

  // Messages to the target

  protected joinTarget (): void {
    this.watchTarget()
    this.sendJoin()
  }

  /** @returns false when the client must not be read until the target has room again */
  onMessage (data: Buffer, binary: boolean): boolean {
    this.#messageCount++
    this.relay.counters.messagesIn++
    const payload: WsMessage = binary
      ? { client_pid: this.pid, type: 'binary', data, metadata: this.#metadata }
      : { client_pid: this.pid, type: 'text', data: data.toString(), metadata: this.#metadata }
    this.#target.accept(this.#topic, payload, this.pid, data.length)
    if (!this.#target.congested) return true
    this.#target.subscribeToDrain(this.transport)
    return false
  }

  sendHeartbeat (): void {
    const payload: WsHeartbeat = {
      client_pid: this.pid,
      uptime: this.uptime,
      message_count: this.#messageCount,
      metadata: this.#metadata,
      ...this.#presence
    }
    this.#target.deliver('ws.heartbeat', payload, this.pid)
  }

  get #presence (): { connected?: false } {
    return this.transport.away === undefined ? {} : { connected: false }
  }

  /** Called when the socket is lost and the client may come back, if the route wants to know. */
  onSuspended (cause: WsSuspend['cause']): void {
    const payload: WsSuspend = { client_pid: this.pid, cause, metadata: this.#metadata }
    this.#target.accept('ws.suspend', payload, this.pid, 0)
  }

  /** Called when the client is back. @param away milliseconds */
  onResumed (away: number): void {
    const payload: WsResume = { client_pid: this.pid, away, metadata: this.#metadata }
    this.#target.accept('ws.resume', payload, this.pid, 0)
  }

  private sendJoin (): void {
    const payload: WsJoin = { client_pid: this.pid, metadata: this.#metadata, ...this.#presence }
    this.#target.accept('ws.join', payload, this.pid, 0)
  }

  private sendLeave (
    target: Target,
    cause: LeaveCause,
    code: number | undefined,
    reason: string
  ): void {
    const payload: WsLeave = { client_pid: this.pid, reason, code, cause, metadata: this.#metadata }
    target.accept('ws.leave', payload, this.pid, 0)
  }

  /** Called once, when the connection has ended and all messages of the client are delivered. */
  protected leaveTarget ({ cause, code, leaveReason }: CloseReason): void {
    this.setHeartbeat(0)
    if (cause !== 'target') this.sendLeave(this.#target, cause, code, leaveReason)
    this.releaseTarget(this.#target, this.#binding)
  }

  private setHeartbeat (interval: number): void {
    this.#heartbeat?.stop()
    this.#heartbeat =
      interval === 0 ? undefined : new Heartbeat(this, this.relay.deadlines, interval)
  }

  // The end of the target

  private watchTarget (): void {
    if (this.#binding === undefined) this.relay.runtime.exitSignals.monitor(this.#target.pid, this)
    else this.#binding.attachConnection(this)
  }

  /** Call it after the leave was sent: a released binding drops everything. */
  private releaseTarget (target: Target, binding: Binding | undefined): void {
    target.unsubscribeFromDrain(this.transport)
    if (binding === undefined) this.relay.runtime.exitSignals.demonitor(target.pid, this)
    else binding.release()
  }

  targetEnded (exit: TargetExit): void {
    const { pid, reason, nodeClosing } = exit
    if (pid !== this.#target.pid) return
    const isNodeLost = this.#binding !== undefined && reason === 'noconnection'
    if (nodeClosing === true) this.close(closeCodes.targetNodeClosing)
    else if (isNodeLost) this.close(closeCodes.targetNodeLost)
    else this.close(targetExited(reason, tookJoin(exit, this.pid)))
  }

  // Transfer

  /** @returns whether a `ws.control` was accepted */
  protected receiveControl (payload: unknown, call: Answer | undefined): boolean {
    const parsed = parseControl(payload, this.settings)
    if (!parsed.ok) return this.refuseMalformed('ws.control', parsed.problem, call)
    const request = { change: parsed.value, call }
    if (this.#controlQueue === undefined && this.bindingFor(request) === undefined) {
      return this.applyControl(request)
    }
    this.#controlQueue ??= new ControlQueue(this)
    if (!this.#controlQueue.enqueue(request)) {
      const problem = 'too many of them wait for targets on other nodes'
      return this.refuseMessage(call, 'ws.control', 'control', problem)
    }
    this.countControl()
    return true
  }

  bindingFor ({ change: { target } }: ControlRequest): Binding | undefined {
    if (target === undefined || target === this.#target.pid) return undefined
    return Binding.ifRemote(this.relay.runtime, target)
  }

  applyControl (request: ControlRequest): boolean {
    const { change, call } = request
    const isKept = change.target === undefined || change.target === this.#target.pid
    const named = isKept ? this.#target : this.relay.runtime.processTable.findEntity(change.target!)
    const found = named === this.#target ? undefined : asTarget(named)
    if (found?.ok === false) {
      this.relay.runtime.counters.messageRefused('control')
      return this.rejectTransfer(request, found.problem)
    }
    this.countControl()
    if (found === undefined) this.applyChange(change)
    else this.transfer(found.value, change)
    call?.reply(undefined)
    return true
  }

  applyRemoteControl (request: ControlRequest, binding: Binding, answer: BindResult): void {
    if (!answer.ok) this.rejectTransfer(request, answer.problem)
    else {
      this.transfer(answer.value, request.change, binding)
      request.call?.reply(undefined)
    }
  }

  controlQueueEmptied (): void {
    this.#controlQueue = undefined
  }

  /** Called when the connection closes: no `ws.control` is carried out any more. */
  protected rejectQueuedControls (): void {
    if (this.#controlQueue === undefined) return
    for (const request of this.#controlQueue.cancelAll()) {
      this.rejectTransfer(request, 'the connection has ended')
    }
    this.#controlQueue = undefined
  }

  private rejectTransfer ({ change, call }: ControlRequest, problem: string): false {
    const target = show(change.target)
    const error = new errorCodes.FST_WS_RELAY_TRANSFER_REFUSED(this.pid, target, problem)
    this.log.warn({ err: error }, 'transfer refused')
    call?.reject(error)
    return false
  }

  private transfer (target: Target, change: ControlChange, binding?: Binding): void {
    const oldTarget = this.#target
    const oldBinding = this.#binding
    this.#target = target
    this.#binding = binding
    this.watchTarget()
    // From here on, the exit of the old target is ignored.
    this.sendLeave(oldTarget, transferred.cause, undefined, transferred.leaveReason)
    this.releaseTarget(oldTarget, oldBinding)
    this.applyChange(change)
    this.sendJoin()
    this.relay.counters.connectionTransferred(this.pid, oldTarget.pid, target.pid)
    if (!this.transport.isPaused) return
    if (target.congested) target.subscribeToDrain(this.transport)
    else this.transport.resume()
  }

  private applyChange ({ topic, heartbeat, metadata }: ControlChange): void {
    if (topic !== undefined) this.#topic = topic
    if (metadata !== undefined) this.#metadata = metadata
    if (heartbeat !== undefined) this.setHeartbeat(heartbeat)
  }

  // The outcome of a message to the connection: counted, logged, and answered if it is a call

  protected countControl (): void {
    this.relay.runtime.counters.controlTaken()
  }

  protected refuseMessage (
    call: Answer | undefined, topic: string, why: RefusalReason, problem: string
  ): false {
    this.relay.runtime.counters.messageRefused(why)
    call?.reject(new errorCodes.FST_PROCESS_REFUSED(this.pid, topic, problem))
    return false
  }

  protected refuseMalformed (topic: string, problem: string, call: Answer | undefined): false {
    this.relay.runtime.counters.messageRefused('payload')
    this.log.warn({ topic }, `malformed payload: ${problem}`)
    call?.reject(new errorCodes.FST_WS_RELAY_INVALID_PAYLOAD(topic, problem))
    return false
  }
}
