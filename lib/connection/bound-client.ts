import { closeCodes, transferred } from './close-codes.js'
import { targetExited } from './close-reasons.js'
import { parseControl } from './config.js'
import { RareState } from './connection-options.js'
import { ControlQueue } from './control/control-queue.js'
import { ParkedTarget } from './park/parked-target.js'
import { mayPark, policyAfter } from './park/policy.js'
import { TargetMessages } from './target/target-messages.js'
import { requestTarget } from './target/target-request.js'
import { asTarget } from '../process/entity.js'
import { takeUnreadMail, tookJoin } from '../process/exits/unread-joins.js'
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
import type { LimitChange } from './limits/limit-fields.js'
import type { BoundTarget, HeldMessage, ParkedConnection } from './park/parked-target.js'
import type { ParkPolicy } from './park/policy.js'
import type { ConnectionSettings } from './settings.js'

/**
 * The half of a connection that faces its target: it binds the connection to a target, and to
 * another one by `ws.control` or when the target has failed.
 */
export abstract class BoundClient extends TargetMessages
  implements ExitListener, ControlledConnection, ParkedConnection {
  protected readonly settings: ConnectionSettings
  /** Present while the target is a process of another node, or of this connection alone. */
  #binding: TargetBinding | undefined
  #rareState: RareState | undefined

  constructor (options: ConnectionOptions) {
    super(options)
    const { settings, binding, config } = options
    this.settings = settings
    this.#binding = binding
    if (config.parkPolicy !== undefined) this.setPolicy(config.parkPolicy)
  }

  /** Created when it is first needed. */
  protected get rareState (): RareState {
    this.#rareState ??= new RareState()
    return this.#rareState
  }

  /** Whether no reason to end has come yet. */
  abstract readonly isOpen: boolean

  protected abstract close (closeReason: CloseReason): void

  /** Applies `limit` and the fields about expiry. */
  protected abstract applyLimits (change: LimitChange): void

  protected joinTarget (): void {
    this.watchTarget()
    this.join(false)
  }

  private join (rejoined: boolean): void {
    this.sendJoin(rejoined)
    this.#rareState?.limits?.joined()
    // Otherwise each new client could send a message to a target that has no room.
    if (!this.target.congested) return
    this.transport.pause()
    this.target.subscribeToDrain(this.transport)
  }

  /** Called once, when the connection has ended and all messages of the client are delivered. */
  protected leaveTarget (reason: CloseReason): void {
    this.setHeartbeat(0)
    this.#rareState?.limits?.stop()
    if (reason.cause !== 'target') this.sendLeave(this.target, reason)
    this.releaseTarget(this.target, this.#binding)
  }

  // The end of the target

  private watchTarget (): void {
    if (this.#binding === undefined) this.relay.runtime.exitSignals.monitor(this.target.pid, this)
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
    if (pid !== this.target.pid) return
    const isNodeLost = this.#binding?.isRemote === true && reason === 'noconnection'
    if (nodeClosing === true) this.close(closeCodes.targetNodeClosing)
    else if (isNodeLost) this.close(closeCodes.targetNodeLost)
    else this.targetIsGone(exit, tookJoin(exit, this.pid))
  }

  private targetIsGone (exit: TargetExit, isJoined: boolean): void {
    const park = this.#rareState?.park
    if (park === undefined || !this.isOpen || !mayPark(park, exit, isJoined)) {
      this.relay.runtime.counters.deadLetter('none', takeUnreadMail(exit, this.pid).length)
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
    if (this.target !== rareState.parked) {
      rareState.parked.hold(this.target.pid)
      this.target = rareState.parked
    }
    return rareState.parked
  }

  /** The target may fail: then its successor gets the message, unless the connection is ending. */
  protected targetRefused (
    topic: string, payload: HeldMessage['payload'], bytes: number, call?: Answer
  ): void {
    if (this.#rareState?.park === undefined || !this.isOpen) this.countStopping()
    else this.leaveForParked().accept(topic, payload, this.pid, bytes, call)
  }

  private park (policy: ParkPolicy, exit: TargetExit, isJoined: boolean): void {
    const parked = this.leaveForParked()
    if (!parked.wait(policy, exit, isJoined)) return
    this.transport.pause()
    this.relay.counters.connectionParked(this.pid, exit, policy.name)
  }

  rejoin (target: Target, rejoined: boolean, binding?: TargetBinding): void {
    const from = this.target.pid
    this.#binding = binding
    this.target = target
    this.watchTarget()
    this.join(rejoined)
    for (const message of this.rareState.parked!.stop()) this.sendHeld(message)
    this.relay.counters.connectionRejoined(this.pid, from, target.pid)
    this.resumeReading()
  }

  closeFor (reason: CloseReason): void {
    this.close(reason)
  }

  protected resumeReading (): void {
    if (!this.transport.isPaused) return
    if (this.target.congested) this.target.subscribeToDrain(this.transport)
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
    if (target === undefined || target === this.target.pid) return undefined
    return requestTarget(this.relay.runtime, target)
  }

  applyControl (request: ControlRequest): boolean {
    const { change, call } = request
    const policy = this.policyFor(change)
    if (!policy.ok) return this.refuseMalformed('ws.control', policy.problem, call)
    const isKept = change.target === undefined || change.target === this.target.pid
    const named = isKept
      ? undefined
      : this.relay.runtime.processTable.findEntity(change.target!)
    const found = isKept || named?.pid === this.target.pid ? undefined : asTarget(named)
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
    const target = change.target === this.target.pid ? undefined : change.target
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
      if (answer.value.pid === this.target.pid) {
        // It was parked, and the process that it asked for is that of its own key.
        asked.release()
        this.applyChange(request.change)
      } else this.transfer(answer.value, request.change, asked.binding)
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
    const oldTarget = this.target
    const oldBinding = this.#binding
    this.target = target
    this.#binding = binding
    this.watchTarget()
    // From here on, the exit of the old target is ignored.
    this.sendLeave(oldTarget, transferred)
    this.releaseTarget(oldTarget, oldBinding)
    this.applyChange(change)
    // First, because the new target may have stopped: then the messages are held anew.
    const held = this.#rareState?.parked?.stop() ?? []
    if (this.#rareState !== undefined) this.#rareState.parked = undefined
    this.join(false)
    for (const message of held) this.sendHeld(message)
    this.relay.counters.connectionTransferred(this.pid, oldTarget.pid, target.pid)
    this.resumeReading()
  }

  private applyChange (change: ControlChange): void {
    this.applyMessageFields(change)
    this.applyLimits(change)
  }
}
