import { HandshakeActions } from './handshake-actions.js'
import { transitions } from './handshake-table.js'
import { trackSend } from '../reply.js'
import { normalLateness } from '../../shared/deadline-timer.js'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyReply } from 'fastify'
import type { Deadline, Slot } from '../../shared/deadline-timer.js'
import type { Event, State } from './handshake-table.js'
import type { RemoteQuery } from '../reply.js'
import type { PendingHandshake, UpgradeServer } from '../../registration/upgrade-server.js'
import type { SocketOwner } from '../../websocket/socket.js'

/**
 * One upgrade, from the moment Node hands over its socket until that socket is a connection, was
 * taken by another owner, or is closed. Node has removed its own listeners and deadlines from the
 * socket: until then nothing else guards it. `handshake-table.ts` has its states and transitions,
 * `handshake-actions.ts` what is done in them.
 */
export class Handshake implements Deadline, PendingHandshake, SocketOwner {
  slot: Slot | undefined
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** Made by `injectWS`, which sends no Host, and the version as a number. */
  readonly isInjected: boolean
  /** Whether its route was declared after the plugin. Set when the request is routed. */
  isRouteMarked = false
  /** The code of the error that refuses the upgrade, for the counters. */
  refusalCode: string | undefined
  readonly #relay: UpgradeServer
  readonly #actions: HandshakeActions
  #state: State = 'received'
  /** The deadline was moved once, because the event loop had stalled. */
  #wasExtended = false

  constructor (
    relay: UpgradeServer, request: IncomingMessage, socket: Duplex, head: Buffer, injected: boolean
  ) {
    this.#relay = relay
    this.request = request
    this.socket = socket
    this.isInjected = injected
    this.#actions = new HandshakeActions(this, relay, head)
  }

  /** The driver: every change of the state is made here. */
  raise (event: Event): void {
    const state = this.#state
    // Its row is empty. A comparison costs less than two lookups in the table.
    if (state === 'released') return
    const cell = transitions[state][event]
    if (cell === undefined) return
    this.#state = cell[0]
    const action = cell[1]
    if (action !== undefined) this.#actions[action]()
  }

  get state (): State {
    return this.#state
  }

  #isUnanswered (): boolean {
    const state = this.#state
    return state !== 'responding' && state !== 'lingering' && state !== 'released'
  }

  /** Whether the client is still connected and has no response yet. */
  get isOpen (): boolean {
    return this.#isUnanswered() && this.#actions.guard.isOpen
  }

  /** Whether all checks before the handler have passed. */
  get hasPassedChecks (): boolean {
    return this.#actions.reply !== undefined
  }

  /** Whether another owner reads the socket or has written to it. */
  get isTaken (): boolean {
    return this.#actions.isTaken
  }

  /** Whether another listener may still take the socket, because no route has the path. */
  get isLeftToOthers (): boolean {
    return this.#actions.routeLate !== undefined
  }

  get isWaitingForRemote (): boolean {
    return this.#actions.query !== undefined
  }

  /** Called after early hints were written: they are not an answer to the upgrade. */
  ignoreWrittenBytes (): void {
    this.#actions.guard.ignoreWrittenBytes()
  }

  /** Called after the listeners of `'upgrade'`, when earlier requests are still being answered. */
  queueBehindEarlier (): void {
    this.#actions.isQueued = true
    this.#actions.pend()
  }

  /** Called when the earlier requests are answered. */
  earlierAnswered (): void {
    this.#actions.isQueued = false
    this.#actions.guard.ignoreWrittenBytes()
    if (this.#actions.isHalfOpen) this.raise('finished')
  }

  /** Called when no route has this path: another listener may take the socket. */
  leaveToOthers (route: () => void): void {
    this.#actions.response = undefined
    this.#actions.routeLate = route
    this.raise('unrouted')
  }

  /** Called when the request is about to be routed, or is: `response` is on its socket. */
  setResponse (response: ServerResponse): void {
    this.#actions.response = response
    this.#actions.routeLate = undefined
    this.raise('routed')
    const onFinish = (): void => {
      if (this.#actions.response !== response || this.#state === 'released') return
      this.responseStarted(response.statusCode)
      this.raise('finished')
    }
    // `once` would make three more objects. A second call is ignored.
    if (response.writableFinished) onFinish()
    else response.on('finish', onFinish)
  }

  /** From now on `upgradeTimeout` applies, unless the handshake is complete already. */
  startTimeout (): void {
    this.raise('dispatched')
  }

  /** Called when the relay has nothing to check: early bytes are read and kept. */
  leaveUnchecked (): void {
    this.raise('unchecked')
  }

  /** Called when all checks have passed and the handler is about to run. */
  handlerStarts (reply: FastifyReply): void {
    this.#actions.reply = reply
    trackSend(reply)
    this.raise('passed')
  }

  /** Called when the handler returns. Without a reply, the handshake counts for `maxHandshakes`. */
  handlerReturned (): void {
    if (this.#state !== 'handling') return
    this.#actions.count()
    // Most async handlers reply within this turn of the event loop; the socket is not read in it.
    this.#relay.runtime.clock.later(() => { this.raise('yielded') })
  }

  /** Runs code in the context of the request, from an event that belongs to another context. */
  runInContext (run: () => void): void {
    this.#actions.runInContext(run)
  }

  /** Called when the handler has replied but a remote node must be asked. The deadline goes on. */
  waitForRemote (reply: FastifyReply, query: RemoteQuery): void {
    // No handler has started where an earlier hook replied, or where no route matched.
    this.#actions.reply ??= reply
    this.#actions.query = query
    this.raise('asked')
  }

  remoteAnswered (): void {
    this.#actions.query = undefined
    this.raise('answered')
  }

  /** The socket becomes a connection. */
  complete (): void {
    this.raise('completed')
  }

  /** The bytes that the client has sent before the socket became a connection. */
  get early (): readonly Buffer[] {
    return this.#actions.guard.early
  }

  /** Called when an ordinary response is written. @param status undefined: by another owner */
  responseStarted (status?: number, code = this.#actions.refusal?.code ?? this.refusalCode): void {
    if (!this.#isUnanswered()) return
    if (status !== undefined) this.#relay.upgrades.upgradeRefused(code, status)
    this.raise('responded')
  }

  serverCloses (): void {
    this.raise('closing')
  }

  due (late: number): void {
    if (this.#state !== 'lingering' && late > normalLateness && !this.#wasExtended) {
      // The event loop has stalled: the answer may already wait in the kernel.
      this.#wasExtended = true
      this.#actions.scheduleTimeout()
    } else this.raise('due')
  }

  /**
   * Called a few times a second while the handshake is pending. Two things have no event: a FIN
   * after unread bytes, and a response of a route outside the plugin's scope.
   */
  checkSocket (): void {
    this.raise('checked')
  }

  onSocketData (bytes: Buffer): void {
    if (this.#isUnanswered()) this.#actions.guard.keepEarly(bytes)
  }

  onSocketError (): void {
    this.socket.destroy()
  }

  onSocketEnd (): void {
    this.raise('ended')
  }

  onSocketClose (): void {
    this.raise('closed')
  }
}
