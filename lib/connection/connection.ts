import { errorCodes, show } from '../errors.js'
import { BoundClient } from './bound-client.js'
import { closeCodes, cutReason } from './close-codes.js'
import { closedByProcess, exited, linkFailed, replacesReason } from './close-reasons.js'
import { asksForAck, encodeMessage, parseClose } from './commands.js'
import { ConnectionLimits } from './limits/connection-limits.js'
import type { Answer } from '../process/calls.js'
import type { Batch } from '../process/batch.js'
import type { ConnectionDescription, Entity } from '../process/entity.js'
import type { EndOrigin } from '../process/explain/origin.js'
import type { ConnectionOptions } from './connection-options.js'
import type { CloseReason } from './close-codes.js'
import type { LimitableConnection } from './limits/connection-limits.js'
import type { LimitChange } from './limits/limit-fields.js'
import type { Encoded, MessageWriter, Transport, TransportEvents } from './transport.js'
import type { ConnectionInfo } from '../../types/info.js'
import type { ConnectionExit, WsSuspend } from '../../types/messages.js'
import type { Pid } from '../../types/pid.js'

/**
 * A client as a process. It has no mailbox: a message to its PID goes to the writer of its
 * transport at once, and a message of its client into the mailbox of its target at once.
 *
 * | state | event | new state | action |
 * | --- | --- | --- | --- |
 * | open | a reason to end | ending | reject the `ws.control`s that wait, `handOver` |
 * | open | `exit(pid, 'kill')` | ended | as above, then end the PID |
 * | open | the target has ended | ended | reject the `ws.control`s that wait, end the PID |
 * | open | the target has failed, `park` | parked | `pause`, wait for its name |
 * | parked | the name has a target, a transfer | open | `ws.join`, messages that wait, `resume` |
 * | parked | the time is over | ended | stop waiting for the name, end the PID |
 * | parked | a reason to end | ending | stop waiting for the name, `handOver` |
 * | ending | handed over | ended | end the PID |
 * | ending | the target has ended | ended | end the PID, with the first reason |
 * | ending | `exit(pid, 'kill')` | ended | end the PID, with the reason `killed` |
 * | ending, lost | a close frame or a violation | ending | take this reason instead |
 * | ending | any other reason | ending | |
 * | ended | any reason, handed over | ended | |
 * | any | the transport is closed | same | the server counts the connection no more |
 *
 * Reasons to end are `onTransportEnd`, `ws.close`, the exits and links of the PID, a client that
 * reads too slowly, missed messages, and its expiry. Messages to the PID are accepted in the states
 * open and parked only; parked is open with a `ParkedTarget`. "End the PID" is: `ws.leave` to the
 * target, `close` of the transport, exit signals.
 *
 * After a handover that has to wait, because a message is being inflated, the state stays ending.
 */
export class Connection extends BoundClient
  implements Entity, TransportEvents, LimitableConnection {
  readonly #writer: MessageWriter
  #state: 'open' | 'ending' | 'ended' = 'open'
  /** Set unless the connection is open. */
  #closeReason: CloseReason | undefined
  #droppedCount = 0

  constructor (options: ConnectionOptions) {
    super(options)
    this.#writer = options.transport.writer
    this.applyLimits(options.config)
  }

  // Getters, because each field costs memory in each connection.
  get kind (): ConnectionInfo['kind'] {
    return this.transport.kind
  }

  get trapLinks (): boolean {
    return false
  }

  get isOpen (): boolean {
    return this.#state === 'open'
  }

  /** Registers the PID and joins the target. */
  open (): void {
    this.relay.connections.add(this)
    this.transport.open(this)
    this.relay.runtime.processTable.addEntity(this)
    this.relay.runtime.counters.connectionSpawned()
    this.joinTarget()
    this.relay.counters.connectionOpened(this.pid, this.target.pid)
    this.relay.connectionOpened(this)
  }

  // From processes

  deliver (
    topic: string, payload: unknown, from: Pid | undefined, call?: Answer, batch?: Batch
  ): boolean {
    if (this.#state !== 'open') {
      return this.refuseMessage(call, topic, 'stopping', 'the connection is closing')
    }
    switch (topic) {
      case 'ws.send':
        if (call !== undefined && asksForAck(payload)) return this.#sendForAck(payload, call)
        return this.#sendMessage(topic, this.#encode(topic, payload, batch), call)
      case 'ws.close': return this.#closeOnRequest(payload, from, call)
      case 'ws.control': return this.receiveControl(payload, call)
    }
    if (topic.startsWith('ws.')) {
      this.relay.runtime.counters.deadLetter('unhandled')
      const problem = 'a connection does not know this topic'
      if (call === undefined) this.relay.runtime.mistakes.unknownCommand(this.pid, topic)
      call?.reject(new errorCodes.FST_PROCESS_REFUSED(this.pid, topic, problem))
      return false
    }
    if (!this.settings.forwardTopics) {
      return this.refuseMessage(call, topic, 'topic', 'forwardTopics is off')
    }
    return this.#sendMessage(topic, this.#encode(topic, payload, batch), call)
  }

  /** System messages are never forwarded to a client. */
  notify (): void {}

  #encode (topic: string, payload: unknown, batch: Batch | undefined): Encoded | string {
    const { encoder } = this.#writer
    if (batch === undefined) return encodeMessage(topic, payload, encoder)
    if (batch.encoder !== encoder) batch.selectEncoder(encoder)
    batch.encoded ??= encodeMessage(topic, payload, encoder)
    return batch.encoded as Encoded | string
  }

  /**
   * @param message a string says why the payload is malformed. It is no `Result`, because one would
   * be allocated for each message
   */
  #sendMessage (
    topic: string, message: Encoded | string, call: Answer | undefined, forAck = false
  ): boolean {
    if (typeof message === 'string') return this.refuseMalformed(topic, message, call)
    const { maxBufferedAmount } = this.settings
    const isFull = this.#writer.bufferedBytes > maxBufferedAmount
    if (isFull && !this.#writer.allowsBurst(maxBufferedAmount)) {
      return this.#refuseOverflow(topic, call)
    }
    this.relay.runtime.counters.clientMessageTaken()
    const replied = call && (() => { call.reply(undefined) })
    this.#writer.sendEncoded(message, forAck ? undefined : replied)
    if (forAck) this.transport.whenAcknowledged!(replied!)
    return true
  }

  /** The call is answered when the client has acknowledged the message. */
  #sendForAck (payload: unknown, call: Answer): boolean {
    if (this.transport.whenAcknowledged === undefined) {
      return this.refuseMessage(call, 'ws.send', 'topic', 'the client cannot acknowledge')
    }
    return this.#sendMessage('ws.send', this.#encode('ws.send', payload, undefined), call, true)
  }

  /** Sends a text of the connection itself. @returns false if the client reads too slowly */
  protected sendText (topic: string, text: string): boolean {
    return this.#sendMessage(topic, this.#writer.encoder.encodeText(text), undefined)
  }

  /** Whether so much waits for the client that nothing should be sent that it can do without. */
  protected get isOverfull (): boolean {
    return this.#writer.bufferedBytes > this.settings.maxBufferedAmount
  }

  #refuseOverflow (topic: string, call: Answer | undefined): false {
    this.refuseMessage(call, topic, 'slow', 'the client reads too slowly')
    const { maxBufferedAmount, overflow } = this.settings
    const isDropped = overflow === 'drop'
    if (isDropped) this.#droppedCount++
    const text = isDropped
      ? 'dropping frames for a client that reads too slowly'
      : 'closing the connection of a client that reads too slowly'
    const buffered = this.#writer.bufferedBytes
    const dropped = this.#droppedCount
    this.relay.overflows.warn(this, { buffered, maxBufferedAmount, dropped }, text)
    if (!isDropped) this.close(closeCodes.clientTooSlow)
    return false
  }

  missed (count: number): void {
    if (this.#state !== 'open') return
    this.relay.runtime.counters.messageRefused('missed', count)
    if (this.settings.overflow === 'drop') this.#droppedCount += count
    else this.close(closeCodes.messagesMissed)
  }

  #closeOnRequest (payload: unknown, from: Pid | undefined, call: Answer | undefined): boolean {
    const parsed = parseClose(payload)
    if (!parsed.ok) return this.refuseMalformed('ws.close', parsed.problem, call)
    const request = parsed.value
    if ('refusedCode' in request) {
      const refused = show(request.refusedCode)
      this.log.warn(`close code ${refused} may not be sent: 1011 is sent instead`)
    }
    this.countControl()
    call?.reply(undefined)
    this.close(closedByProcess(request.code, cutReason(request.reason), from))
    return true
  }

  // Limits

  protected applyLimits (change: LimitChange): void {
    if (!ConnectionLimits.isChangedBy(change)) return
    this.rareState.limits ??= new ConnectionLimits(this, this.relay)
    this.rareState.limits.apply(change)
  }

  wrapTransport (transport: Transport): void {
    this.target.unsubscribeFromDrain(this.transport)
    this.transport = transport
    this.resumeReading()
  }

  sendExpiring (expires_at: number): void {
    this.tellTarget('ws.expiring', { expires_at })
  }

  // The socket

  /** Called when it is lost and the client may come back. */
  onSuspended (cause: WsSuspend['cause'], notify: boolean): void {
    this.relay.counters.connectionSuspended(this.pid, this.target.pid, cause)
    if (notify) this.tellTarget('ws.suspend', { cause })
  }

  /** Called when the client is back. @param away undefined if its old socket was still open */
  onResumed (away: number | undefined, notify: boolean): void {
    this.relay.counters.connectionResumed(this.pid, this.target.pid, away ?? 0)
    if (away !== undefined && notify) this.tellTarget('ws.resume', { away })
  }

  // The end

  onTransportEnd (reason: CloseReason): void {
    this.close(reason)
  }

  onTransportError (err: Error): void {
    this.log.debug({ err }, 'socket error')
  }

  linkFailed (reason: string, _error?: Error, because?: Pid): void {
    this.close(linkFailed(reason, because))
  }

  end (reason: string, _error?: Error, origin?: EndOrigin): void {
    this.close(exited(reason, origin?.by, origin?.cause === 'killed'))
  }

  cancel (from?: Pid): boolean {
    this.close(exited('shutdown', from))
    return true
  }

  /** The driver of the table of states, together with `onHandedOver`. */
  protected close (reason: CloseReason): void {
    const { cause } = reason
    if (this.#state === 'open') {
      this.#state = 'ending'
      this.#closeReason = reason
      this.stopWaiting()
      // A target that has ended takes no more messages.
      if (cause !== 'target') this.transport.handOver()
    } else if (this.#state === 'ending') {
      if (replacesReason(reason, this.#closeReason!)) this.#closeReason = reason
    }
    if (cause === 'target' || cause === 'killed') this.onHandedOver()
  }

  onHandedOver (): void {
    if (this.#state !== 'ending') return
    this.#state = 'ended'
    this.#endPid(this.#closeReason!)
  }

  /** The closing handshake of the transport goes on without the PID. */
  #endPid (closeReason: CloseReason): void {
    const { away } = this.transport
    this.leaveTarget(closeReason)
    this.transport.close(closeReason)
    const { code, leaveReason: reason, cause, exitReason } = closeReason
    const value: ConnectionExit = away === undefined
      ? { code, reason, cause }
      : { code, reason, cause, away }
    this.relay.counters.connectionClosed(this, closeReason)
    const { kind, startedAt, target: { pid: target } } = this
    const ended = { kind, startedAt, target, closeReason }
    this.relay.runtime.connectionEnded(ended, { pid: this.pid, reason: exitReason, value })
  }

  onTransportClose (): void {
    this.relay.connectionClosed(this)
  }

  describe (): ConnectionDescription {
    return {
      kind: this.kind,
      label: 'ws',
      status: 'waiting',
      mailbox: 0,
      monitors: this.isParked ? [] : [this.target.pid],
      uptime: this.uptime,
      target: this.target.pid,
      buffered: this.#writer.bufferedBytes,
      dropped: this.#droppedCount,
      messages: this.messageCount,
      connected: this.transport.away === undefined,
      paused: this.transport.isPaused,
      limited: this.transport.isLimited === true,
      parked: this.isParked
    }
  }
}
