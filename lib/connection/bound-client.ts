import { closeCodes, transferred } from './close-codes.js'
import { targetExited } from './close-reasons.js'
import { parseControl } from './config.js'
import { RareState } from './connection-options.js'
import { ControlQueue } from './control/control-queue.js'
import { MessageOutcomes } from './control/message-outcomes.js'
import { Heartbeat } from './heartbeat.js'
import { ParkedTarget } from './park/parked-target.js'
import { mayPark, policyAfter } from './park/policy.js'
import { requestTarget } from './target/target-request.js'
import { asTarget } from '../process/entity.js'
import { tookJoin } from '../process/exits/unread-joins.js'
import type { TargetBinding } from './target/binding.js'
import type { ConnectionOptions } from './connection-options.js'
import type { Answer } from '../process/calls.js'
import type { Result } from '../shared/result.js'
import type { Target } from '../process/entity.js'
import type { ExitListener, TargetExit } from '../process/exits/relations.js'
import type { TargetRequest } from './target/target-request.js'
import type { BindResult } from '../process/remote/remote-nodes.js'
import type { CloseReason } from './close-codes.js'
import type { ControlChange } from './config.js'
import type { ControlRequest, ControlledConnection } from './control/control-queue.js'
import type { HeartbeatClient } from './heartbeat.js'
import type { LimitChange } from './limits/limit-fields.js'
import type { BoundTarget, HeldMessage, ParkedConnection } from './park/parked-target.js'
import type { ParkPolicy } from './park/policy.js'
import type { ConnectionSettings } from './settings.js'
import type { Transport } from './transport.js'
import type {
  LeaveCause, Metadata, RelayTopics, WsCheckedMessage, WsHeartbeat, WsJoin, WsLeave, WsMessage
} from '../../types/messages.js'

type Notice = 'ws.suspend' | 'ws.resume' | 'ws.expiring'

/**
 * The half of a connection that faces its target: `ws.join`, the client's messages, heartbeats,
 * `ws.control` and `ws.leave`.
 *
 * It is a base class and no object of its own: that would cost memory for each idle connection, and
 * a call for each message.
 */
export abstract class BoundClient extends MessageOutcomes
  implements ExitListener, ControlledConnection, HeartbeatClient, ParkedConnection {
  protected readonly settings: ConnectionSettings
  transport: Transport
  readonly #startedAt: number
  #target: BoundTarget
  /** Present while the target is a process of another node, or of this connection alone. */
  #binding: TargetBinding | undefined
  #topic: string
  #metadata: Metadata
  #heartbeat: Heartbeat | undefined
  #rareState: RareState | undefined
  #messageCount = 0

  constructor ({ relay, transport, settings, target, binding, config }: ConnectionOptions) {
    super(relay)
    this.transport = transport
    this.settings = settings
    this.#startedAt = relay.runtime.clock.now()
    this.#target = target
    this.#binding = binding
    this.#topic = config.topic
    this.#metadata = config.metadata
    this.setHeartbeat(config.heartbeat)
    if (config.parkPolicy !== undefined) this.setPolicy(config.parkPolicy)
  }

  /** Created when it is first needed. */
  protected get rareState (): RareState {
    this.#rareState ??= new RareState()
    return this.#rareState
  }

  protected get target (): BoundTarget {
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

  /** Whether no reason to end has come yet. */
  abstract readonly isOpen: boolean

  protected abstract close (closeReason: CloseReason): void

  /** Applies `limit` and the fields about expiry. */
  protected abstract applyLimits (change: LimitChange): void

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
    if (!this.#target.accept(this.#topic, payload, this.pid, data.length)) {
      this.targetRefused(payload, data.length)
    }
    if (!this.#target.congested) return true
    this.#target.subscribeToDrain(this.transport)
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
    if (!this.#target.accept(this.#topic, payload, this.pid, bytes, call)) {
      this.targetRefused(payload, bytes, call)
    }
    const isFull = this.#target.congested
    if (isFull) this.#target.subscribeToDrain(this.transport)
    return !isFull
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

  protected tellTarget<K extends Notice> (
    topic: K, fields: Omit<RelayTopics[K], 'client_pid' | 'metadata'>
  ): void {
    const payload = { client_pid: this.pid, ...fields, metadata: this.#metadata }
    this.tell(this.#target, topic, payload)
  }

  private sendJoin (rejoined = false): void {
    const payload: WsJoin = {
      client_pid: this.pid,
      metadata: this.#metadata,
      ...rejoined && { rejoined: true as const },
      ...this.#presence
    }
    this.tell(this.#target, 'ws.join', payload)
    this.#rareState?.limits?.joined()
  }

  private sendLeave (
    target: BoundTarget,
    cause: LeaveCause,
    code: number | undefined,
    reason: string
  ): void {
    const payload: WsLeave = { client_pid: this.pid, reason, code, cause, metadata: this.#metadata }
    this.tell(target, 'ws.leave', payload)
  }

  private tell (target: BoundTarget, topic: string, payload: object): void {
    if (!target.accept(topic, payload, this.pid, 0)) this.countStopping()
  }

  /** Called once, when the connection has ended and all messages of the client are delivered. */
  protected leaveTarget ({ cause, code, leaveReason }: CloseReason): void {
    this.setHeartbeat(0)
    this.#rareState?.limits?.stop()
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
  private releaseTarget (target: BoundTarget, binding: TargetBinding | undefined): void {
    target.unsubscribeFromDrain(this.transport)
    if (binding === undefined) this.relay.runtime.exitSignals.demonitor(target.pid, this)
    else binding.release()
  }

  targetEnded (exit: TargetExit): void {
    const { pid, reason, nodeClosing } = exit
    if (pid !== this.#target.pid) return
    const isNodeLost = this.#binding?.isRemote === true && reason === 'noconnection'
    if (nodeClosing === true) this.close(closeCodes.targetNodeClosing)
    else if (isNodeLost) this.close(closeCodes.targetNodeLost)
    else this.targetIsGone(exit, tookJoin(exit, this.pid))
  }

  private targetIsGone (exit: TargetExit, isJoined: boolean): void {
    const park = this.#rareState?.park
    if (park === undefined || !this.isOpen || !mayPark(park, exit, isJoined)) {
      this.close(targetExited(exit.reason, isJoined))
    } else this.park(park, exit, isJoined)
  }

  // Park

  private setPolicy (park: ParkPolicy | undefined): void {
    if (park !== undefined || this.#rareState !== undefined) this.rareState.park = park
  }

  /** Whether the connection waits for a successor of its target. */
  protected get isParked (): boolean {
    return this.#rareState?.parked?.isWaiting === true
  }

  /** Puts the parked target into the place of one that takes no more mail. */
  private leaveForParked (): ParkedTarget {
    const { rareState } = this
    rareState.parked ??= new ParkedTarget(this, this.relay, this.settings.maxPayload)
    if (this.#target !== rareState.parked) {
      rareState.parked.hold(this.#target.pid)
      this.#target = rareState.parked
    }
    return rareState.parked
  }

  /** The target may fail: then its successor gets the message, unless the connection is ending. */
  private targetRefused (payload: HeldMessage['payload'], bytes: number, call?: Answer): void {
    if (this.#rareState?.park === undefined || !this.isOpen) this.countStopping()
    else this.leaveForParked().accept(this.#topic, payload, this.pid, bytes, call)
  }

  private park (policy: ParkPolicy, exit: TargetExit, isJoined: boolean): void {
    const parked = this.leaveForParked()
    if (!parked.wait(policy, exit, isJoined)) return
    this.transport.pause()
    this.relay.counters.connectionParked(this.pid, exit, policy.name)
  }

  rejoin (target: Target, rejoined: boolean, binding?: TargetBinding): void {
    const from = this.#target.pid
    this.#binding = binding
    this.#target = target
    this.watchTarget()
    this.sendJoin(rejoined)
    this.handOverHeld()
    this.relay.counters.connectionRejoined(this.pid, from, target.pid)
    this.resumeReading()
  }

  closeFor (reason: CloseReason): void {
    this.close(reason)
  }

  /** Hands what was held to the target, after its join. */
  private handOverHeld (): void {
    for (const { payload, bytes } of this.#rareState?.parked?.stop() ?? []) {
      const message = { ...payload, metadata: this.#metadata }
      this.#target.accept(this.#topic, message, this.pid, bytes)
    }
  }

  protected resumeReading (): void {
    if (!this.transport.isPaused) return
    if (this.#target.congested) this.#target.subscribeToDrain(this.transport)
    else this.transport.resume()
  }

  // Transfer

  /** @returns whether a `ws.control` was accepted */
  protected receiveControl (payload: unknown, call: Answer | undefined): boolean {
    const parsed = parseControl(payload, this.settings)
    if (!parsed.ok) return this.refuseMalformed('ws.control', parsed.problem, call)
    if (parsed.value.misspelt !== undefined) this.warnOfField(parsed.value.misspelt)
    const request = { change: parsed.value, call }
    if (this.#rareState?.controlQueue === undefined && this.bindingFor(request) === undefined) {
      return this.applyControl(request)
    }
    this.rareState.controlQueue ??= new ControlQueue(this)
    if (!this.rareState.controlQueue.enqueue(request)) {
      const problem = 'too many of them wait for targets on other nodes'
      return this.refuseMessage(call, 'ws.control', 'control', problem)
    }
    this.countControl()
    return true
  }

  bindingFor ({ change: { target } }: ControlRequest): TargetRequest | undefined {
    if (target === undefined || target === this.#target.pid) return undefined
    return requestTarget(this.relay.runtime, target)
  }

  applyControl (request: ControlRequest): boolean {
    const { change, call } = request
    const policy = this.policyFor(change)
    if (!policy.ok) return this.refuseMalformed('ws.control', policy.problem, call)
    const isKept = change.target === undefined || change.target === this.#target.pid
    const named = isKept
      ? undefined
      : this.relay.runtime.processTable.findEntity(change.target!)
    const found = isKept || named?.pid === this.#target.pid ? undefined : asTarget(named)
    if (found?.ok === false) {
      this.relay.runtime.counters.messageRefused('control')
      return this.rejectTransfer(request, found.problem)
    }
    this.countControl()
    this.setPolicy(policy.value)
    if (found === undefined) this.applyChange(change)
    else this.transfer(found.value, change)
    call?.reply(undefined)
    return true
  }

  /** Whether the connection parks after a change. It has to know the name of its target then. */
  private policyFor (change: ControlChange): Result<ParkPolicy | undefined> {
    const target = change.target === this.#target.pid ? undefined : change.target
    return policyAfter(change, target, this.#rareState?.park)
  }

  applyRemoteControl (request: ControlRequest, asked: TargetRequest, answer: BindResult): void {
    const policy = this.policyFor(request.change)
    if (!answer.ok) this.rejectTransfer(request, answer.problem)
    else if (!policy.ok) {
      asked.release()
      this.rejectTransfer(request, policy.problem)
    } else {
      this.setPolicy(policy.value)
      this.transfer(answer.value, request.change, asked.binding)
      request.call?.reply(undefined)
    }
  }

  controlQueueEmptied (): void {
    this.rareState.controlQueue = undefined
  }

  /**
   * Called when the connection closes: no `ws.control` is carried out any more, and no successor of
   * the target is waited for.
   */
  protected stopWaiting (): void {
    if (this.#rareState === undefined) return
    const { controlQueue, parked } = this.#rareState
    this.#rareState.controlQueue = undefined
    for (const request of controlQueue?.cancelAll() ?? []) {
      this.rejectTransfer(request, 'the connection has ended')
    }
    if (parked === undefined) return
    this.relay.runtime.counters.deadLetter('none', parked.stop().length)
  }

  private transfer (target: Target, change: ControlChange, binding?: TargetBinding): void {
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
    this.handOverHeld()
    if (this.#rareState !== undefined) this.#rareState.parked = undefined
    this.relay.counters.connectionTransferred(this.pid, oldTarget.pid, target.pid)
    this.resumeReading()
  }

  private applyChange (change: ControlChange): void {
    const { topic, heartbeat, metadata } = change
    if (topic !== undefined) this.#topic = topic
    if (metadata !== undefined) this.#metadata = metadata
    if (heartbeat !== undefined) this.setHeartbeat(heartbeat)
    this.applyLimits(change)
  }
}
