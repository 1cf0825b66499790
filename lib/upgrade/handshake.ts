/*
 * The states of an upgrade:
 * - `tracked`: another listener or a route may still take the socket; nobody reads it
 * - `handling`: all checks before the handler have passed, and it runs; nobody reads the socket
 * - `buffering`: the socket is read, and early bytes are kept
 * - `responding`: an ordinary response is being written; bytes of the client are dropped
 * - `lingering`: the response is complete, and the client has one second to close its side
 * - `released`: the socket belongs to a connection or to another owner, or it is closed
 *
 * The transitions. In an empty field the event is ignored, or cannot occur.
 *
 * | event                             | tracked    | handling   | buffering  | responding |
 * |-----------------------------------|------------|------------|------------|------------|
 * | the relay has nothing to check    | buffering  |            |            |            |
 * | all checks passed                 | handling   |            |            |            |
 * | the handler runs for over a turn  |            | buffering  |            |            |
 * | a remote node is asked            | buffering  | buffering  | buffering  |            |
 * | the 101 is about to be written    | released   | released   | released   |            |
 * | an ordinary response starts       | responding | responding | responding |            |
 * | the response is finished          | lingering  | lingering  | lingering  | lingering  |
 * | another owner reads the socket    | released   |            |            |            |
 * | the deadline passes (see `due`)   | any (1)    |            | 503        | closed     |
 * | the client leaves, socket closes  | released   | released   | released   | released   |
 *
 * (1) The socket is destroyed if it waits behind an earlier response. Otherwise the request is
 * routed, given to its other owner, answered, or refused with 503. In `lingering` the deadline
 * destroys the socket.
 */
import { AsyncResource } from 'node:async_hooks'
import { errorCodes } from '../errors.js'
import { isSending, logTimeout, sendError, trackSend } from './reply.js'
import {
  allowsHalfOpen, detachResponse, endRequest, hasEnded, responseOn, writeErrorResponse
} from './response.js'
import { SocketGuard } from './socket-guard.js'
import { normalLateness } from '../shared/deadline-timer.js'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError, FastifyReply } from 'fastify'
import type { Deadline, Slot } from '../shared/deadline-timer.js'
import type { RemoteQuery } from './reply.js'
import type { PendingHandshake, UpgradeServer } from '../registration/upgrade-server.js'
import type { SocketOwner } from '../websocket/socket.js'

/** Milliseconds that a client has to close its side after the response. */
const lingerTime = 1000

type State = 'tracked' | 'handling' | 'buffering' | 'responding' | 'lingering' | 'released'

/**
 * One upgrade, from the moment Node hands over its socket until that socket is a connection, was
 * taken by another owner, or is closed. Node has removed its own listeners and deadlines from the
 * socket: until then nothing else guards it.
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
  /** Routes the request, called when no other listener takes the socket within `upgradeTimeout`. */
  route: (() => void) | undefined
  readonly #relay: UpgradeServer
  readonly #guard: SocketGuard
  /** Set while a handler runs, and while a remote node is asked after it. */
  #reply: FastifyReply | undefined
  /** Set once the request is routed. */
  #response: ServerResponse | undefined
  #query: RemoteQuery | undefined
  /** The request's `AsyncLocalStorage` context: its hooks run in it, after any event. */
  #context: AsyncResource | undefined
  #state: State = 'tracked'
  /** Earlier requests on this socket have no complete response yet. */
  #isQueued = false
  /** The client has ended its side, and its earlier requests are still being answered. */
  #isHalfOpen = false
  /** The deadline was moved once, because the event loop had stalled. */
  #wasExtended = false
  /** The error that takes the place of the handler's reply. */
  #refusal: FastifyError | undefined

  constructor (
    relay: UpgradeServer, request: IncomingMessage, socket: Duplex, head: Buffer, injected: boolean
  ) {
    this.#relay = relay
    this.request = request
    this.socket = socket
    this.isInjected = injected
    this.#guard = new SocketGuard(socket, head, this)
  }

  get #isUnanswered (): boolean {
    return this.#state === 'tracked' || this.#state === 'handling' || this.#state === 'buffering'
  }

  /** Whether the client is still connected and has no response yet. */
  get isOpen (): boolean {
    return this.#isUnanswered && this.#guard.isOpen
  }

  /** Whether all checks before the handler have passed. */
  get hasPassedChecks (): boolean {
    return this.#reply !== undefined
  }

  /**
   * Whether another owner reads the socket or has written to it: `@fastify/websocket` for one of
   * its own routes, a handler that upgrades by itself, or another listener of the server.
   */
  get isTaken (): boolean {
    if (this.#guard.isReadByOther) return true
    return !this.#isQueued && this.#response?.headersSent !== true && this.#guard.hasNewWrittenBytes
  }

  /** Called after early hints were written: they are not an answer to the upgrade. */
  ignoreWrittenBytes (): void {
    this.#guard.ignoreWrittenBytes()
  }

  /** Called after the listeners of `'upgrade'`, when earlier requests are still being answered. */
  queueBehindEarlier (): void {
    this.#isQueued = true
    this.#addToPending()
  }

  #addToPending (): void {
    this.#context ??= new AsyncResource('WsRelayHandshake')
    this.#relay.pending.add(this)
    this.#guard.resumeResponses()
  }

  /** Called when the earlier requests are answered. */
  earlierAnswered (): void {
    this.#isQueued = false
    this.#guard.ignoreWrittenBytes()
    if (this.#isHalfOpen) this.#linger()
  }

  /** Called when no route has this path: another listener may take the socket. */
  leaveToOthers (route: () => void): void {
    this.#response = undefined
    this.route = route
  }

  /** Called when the request is about to be routed, or is: `response` is on its socket. */
  setResponse (response: ServerResponse): void {
    this.#response = response
    this.route = undefined
    const onFinish = (): void => {
      if (this.#response !== response || this.#state === 'released') return
      this.responseStarted(response.statusCode)
      this.#linger()
    }
    if (response.writableFinished) onFinish()
    else response.once('finish', onFinish)
  }

  /** From now on `upgradeTimeout` applies, unless the handshake is complete already. */
  startTimeout (): void {
    if (this.#state === 'tracked' && this.#guard.isReadByOther) this.#release()
    if (this.#state === 'released') return
    this.#addToPending()
    const needsDeadline = this.#state === 'tracked' || this.#state === 'buffering'
    if (this.slot === undefined && needsDeadline) this.#scheduleTimeout()
  }

  #scheduleTimeout (): void {
    const { closing, options: { closeTimeout, upgradeTimeout } } = this.#relay
    this.#schedule(closing ? Math.min(closeTimeout, upgradeTimeout) : upgradeTimeout)
  }

  #schedule (delay: number): void {
    this.#relay.deadlines.schedule(this, delay)
  }

  /** Reads the socket, to notice when the client leaves, and keeps early bytes. */
  bufferEarlyBytes (): void {
    this.#state = 'buffering'
    this.#guard.startReading()
  }

  /** Called when all checks have passed and the handler is about to run. */
  handlerStarts (reply: FastifyReply): void {
    this.#state = 'handling'
    this.#reply = reply
    trackSend(reply)
  }

  /** Called when the handler returns. Without a reply, the handshake counts for `maxHandshakes`. */
  handlerReturned (): void {
    if (this.#state !== 'handling') return
    this.#countHandshake()
    // Most async handlers reply within this turn of the event loop; the socket is not read in it.
    setImmediate(Handshake.#waitForHandler, this)
  }

  #countHandshake (): void {
    this.#relay.handshakes.add(this)
    this.#context = new AsyncResource('WsRelayHandshake')
  }

  /** Runs code in the context of the request, from an event that belongs to another context. */
  runInContext (run: () => void): void {
    this.#context!.runInAsyncScope(run)
  }

  /** Called one turn of the event loop after the handler returned. */
  static #waitForHandler (handshake: Handshake): void {
    if (handshake.#state !== 'handling') return
    handshake.bufferEarlyBytes()
    handshake.#scheduleTimeout()
  }

  /** Called when the handler has replied but a remote node must be asked. The deadline goes on. */
  waitForRemote (reply: FastifyReply, query: RemoteQuery): void {
    const isScheduled = this.#state === 'buffering' && this.#reply !== undefined
    // No handler has started where an earlier hook replied, or where no route matched.
    this.#reply ??= reply
    this.#query = query
    if (isScheduled) return
    if (this.#state !== 'buffering') this.bufferEarlyBytes()
    this.#countHandshake()
    this.#scheduleTimeout()
  }

  get isWaitingForRemote (): boolean {
    return this.#query !== undefined
  }

  remoteAnswered (): void {
    this.#query = undefined
  }

  /** The socket becomes a connection. @returns the bytes that the client has sent since */
  complete (): readonly Buffer[] {
    return this.#release()
  }

  /** Called when an ordinary response is written. @param status undefined: by another owner */
  responseStarted (status?: number, code = this.#refusal?.code ?? this.refusalCode): void {
    if (!this.#isUnanswered) return
    if (status !== undefined) this.#relay.upgrades.upgradeRefused(code, status)
    this.#state = 'responding'
    this.#stopWaiting()
    this.#guard.dropEarly()
    // A closing server waits for this response as long as for a closing handshake.
    if (this.#relay.closing) this.#schedule(this.#relay.options.closeTimeout)
  }

  /** Refuses an upgrade whose handler has not replied. Other responses have `closeTimeout`. */
  serverCloses (): void {
    if (this.#reply !== undefined && !this.#reply.sent) {
      this.refuse(new errorCodes.FST_WS_RELAY_CLOSING())
    } else if (this.#state === 'responding' || this.#isQueued) {
      this.#schedule(this.#relay.options.closeTimeout)
    } else if (this.#state !== 'lingering') this.#scheduleTimeout()
  }

  /** Replies in place of a handler that has not. */
  refuse (error: FastifyError): void {
    const reply = this.#reply!
    const query = this.#query
    this.#refusal = error
    this.#stopWaiting()
    // The hooks of the reply are running already, and must not run twice.
    if (query === undefined && isSending(reply)) return this.#writeRefusal()
    // An error handler or a hook may never end. Then the refusal is written without them.
    this.#schedule(Math.min(this.#relay.options.upgradeTimeout, lingerTime))
    this.runInContext(() => { sendError(reply, query, error) })
  }

  due (late: number): void {
    if (this.#state === 'lingering') this.socket.destroy()
    else if (late > normalLateness && !this.#wasExtended) {
      // The event loop has stalled: the answer may already wait in the kernel.
      this.#wasExtended = true
      this.#scheduleTimeout()
    } else if (this.#reply !== undefined) this.#handlerTimedOut(this.#reply)
    else this.#responseTimedOut()
  }

  #handlerTimedOut (reply: FastifyReply): void {
    logTimeout(reply, this.#query)
    if (!reply.sent) this.refuse(new errorCodes.FST_WS_RELAY_UPGRADE_TIMEOUT())
    // A handler that hijacks its reply writes the response itself.
    else if (reply.raw.headersSent) this.responseStarted(reply.raw.statusCode)
    else if (this.isTaken) this.responseStarted()
    else this.#writeRefusal()
  }

  /** Called when no handler of the relay has started, or when its refusal was not written. */
  #responseTimedOut (): void {
    if (this.#state === 'responding' || this.#isQueued) this.socket.destroy()
    else if (this.#state === 'tracked' && this.isTaken) this.#waitForOwner()
    else if (this.#response === undefined) this.#routeUnclaimed()
    else if (this.#response.headersSent) this.responseStarted(this.#response.statusCode)
    else this.#writeRefusal()
  }

  /** Another owner has written to the socket. If it does not read, `checkSocket` finds a FIN. */
  #waitForOwner (): void {
    if (this.#guard.isReadByOther) this.#release()
    // With a full read buffer, not even a FIN would be noticed.
    else if (this.#relay.closing || this.#guard.isFull) this.socket.destroy()
    else this.#scheduleTimeout()
  }

  /** Another listener could have taken the socket, and has not. */
  #routeUnclaimed (): void {
    if (this.route === undefined || !this.isOpen) this.socket.destroy()
    else this.runInContext(this.route)
  }

  /** Writes the refusal without Fastify. The handler and its hooks see a client that has gone. */
  #writeRefusal (): void {
    const { FST_WS_RELAY_CLOSING: Closing, FST_WS_RELAY_UPGRADE_TIMEOUT: Timeout } = errorCodes
    const error = this.#refusal ?? (this.#relay.closing ? new Closing() : new Timeout())
    const response = this.#response!
    this.#response = undefined
    this.responseStarted(error.statusCode, error.code)
    detachResponse(response, this.socket)
    const written = writeErrorResponse(this.request, this.socket, error)
    this.setResponse(written)
    // Hooks and metrics see the reply end once, with the status that the client sees.
    response.statusCode = written.statusCode
    written.once('finish', () => { this.runInContext(() => { response.emit('finish') }) })
    this.#schedule(this.#relay.options.closeTimeout)
  }

  /** Ends the socket. Unread bytes would make the kernel reset it, and cut the response off. */
  #linger (): void {
    this.#stopWaiting()
    this.#state = 'lingering'
    this.#guard.dropEarly()
    this.#addToPending()
    this.#schedule(lingerTime)
    this.socket.end()
    endRequest(this.request)
  }

  #release (): readonly Buffer[] {
    this.#state = 'released'
    this.#stopWaiting()
    this.#relay.pending.delete(this)
    return this.#guard.release()
  }

  /** The handshake no longer waits for a handler or a remote node. */
  #stopWaiting (): void {
    this.#reply = this.#query = undefined
    this.#relay.handshakes.delete(this)
    this.#relay.deadlines.cancel(this)
  }

  onSocketData (bytes: Buffer): void {
    if (this.#state !== 'responding' && this.#state !== 'lingering') this.#guard.keepEarly(bytes)
  }

  /**
   * Called a few times a second while the handshake is pending. Two things have no event: a FIN
   * after unread bytes, and a response of a route outside the plugin's scope.
   */
  checkSocket (): void {
    if (this.#state !== 'tracked') return
    if (this.#guard.isReadByOther) this.#release()
    else if (hasEnded(this.socket)) this.onSocketEnd()
    else if (this.socket.writableEnded) this.#linger()
    else if (this.#response?.headersSent === true) this.responseStarted(this.#response.statusCode)
  }

  onSocketError (): void {
    this.socket.destroy()
  }

  onSocketEnd (): void {
    const isReadByOther = this.#state === 'tracked' && this.#guard.isReadByOther
    if (this.#state === 'lingering' || this.#state === 'released' || isReadByOther) return
    // As in Node: earlier responses are given up, unless the server allows half-open sockets.
    if (this.#isQueued && allowsHalfOpen(this.socket)) this.#isHalfOpen = true
    else this.onSocketClose()
  }

  onSocketClose (): void {
    const isOver = this.#state === 'released' || this.#state === 'lingering'
    const isWaiting = !isOver && !(this.#state === 'tracked' && this.isTaken)
    if (this.#isUnanswered && !this.isTaken) this.#relay.upgrades.upgradeAbandoned()
    const query = this.#query
    const earlier = this.#isQueued ? responseOn(this.socket) : undefined
    this.#release()
    this.socket.destroy()
    earlier?.req.destroy()
    // Node destroys a request when its client leaves, but not the request of an upgrade.
    if (isWaiting) this.request.destroy()
    if (query !== undefined) this.runInContext(() => { query.onClientGone() })
  }
}
