import { AsyncResource } from 'node:async_hooks'
import { errorCodes } from '../../errors.js'
import { isSending, logTimeout, sendError } from '../reply.js'
import {
  allowsHalfOpen, detachResponse, endRequest, hasEnded, responseOn, writeErrorResponse
} from '../response.js'
import { SocketGuard } from '../socket-guard.js'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { FastifyError, FastifyReply } from 'fastify'
import type { Deadline } from '../../shared/deadline-timer.js'
import type { Action, Event } from './handshake-table.js'
import type { RemoteQuery } from '../reply.js'
import type { PendingHandshake, UpgradeServer } from '../../registration/upgrade-server.js'
import type { SocketOwner } from '../../websocket/socket.js'

/** Milliseconds that a client has to close its side after the response. */
const lingerTime = 1000

/** The handshake, as far as its actions use it. */
interface Driver extends Deadline, PendingHandshake, SocketOwner {
  readonly isOpen: boolean
  readonly request: IncomingMessage
  raise (event: Event): void
  setResponse (response: ServerResponse): void
  responseStarted (status?: number, code?: string): void
}

/**
 * The actions of the table in `handshake-table.ts`, and what a handshake knows. When an action
 * runs, the handshake has its new state already.
 */
export class HandshakeActions implements Record<Action, () => void> {
  readonly request: IncomingMessage
  readonly socket: Duplex
  readonly guard: SocketGuard
  /** Set while a handler runs, and while a remote node is asked after it. */
  reply: FastifyReply | undefined
  /** Set once the request is routed. */
  response: ServerResponse | undefined
  query: RemoteQuery | undefined
  /** Routes the request when no other listener takes the socket within `upgradeTimeout`. */
  routeLate: (() => void) | undefined
  /** Earlier requests on this socket have no complete response yet. */
  isQueued = false
  /** The client has ended its side, and its earlier requests are still being answered. */
  isHalfOpen = false
  /** The error that takes the place of the handler's reply. */
  refusal: FastifyError | undefined
  /** The request's `AsyncLocalStorage` context: its hooks run in it, after any event. */
  context: AsyncResource | undefined
  readonly #handshake: Driver
  readonly #relay: UpgradeServer

  constructor (handshake: Driver, relay: UpgradeServer, head: Buffer) {
    this.request = handshake.request
    this.socket = handshake.socket
    this.guard = new SocketGuard(handshake.socket, head, handshake)
    this.#handshake = handshake
    this.#relay = relay
  }

  /**
   * Whether another owner reads the socket or has written to it: `@fastify/websocket` for one of
   * its own routes, a handler that upgrades by itself, or another listener of the server.
   */
  get isTaken (): boolean {
    if (this.guard.isReadByOther) return true
    return !this.isQueued && this.response?.headersSent !== true && this.guard.hasNewWrittenBytes
  }

  /** Runs code in the context of the request, from an event that belongs to another context. */
  runInContext (run: () => void): void {
    this.context!.runInAsyncScope(run)
  }

  watch (): void {
    if (this.guard.isReadByOther) this.#handshake.raise('taken')
    else this.limit()
  }

  read (): void {
    this.guard.startReading()
  }

  wait (): void {
    this.guard.startReading()
    this.scheduleTimeout()
  }

  ask (): void {
    this.guard.startReading()
    this.count()
    this.scheduleTimeout()
  }

  hurry (): void {
    if (this.isQueued) this.limitResponse()
    else this.scheduleTimeout()
  }

  refuseOrHurry (): void {
    if (this.reply!.sent) this.scheduleTimeout()
    else this.#refuseWith(new errorCodes.FST_WS_RELAY_CLOSING())
  }

  limitResponse (): void {
    this.#schedule(this.#relay.options.closeTimeout)
  }

  answerOrLeave (): void {
    if (this.isTaken) this.#waitForOwner()
    else this.answer()
  }

  abandon (): void {
    if (this.isTaken) this.#close()
    else this.abort()
  }

  destroy (): void {
    this.socket.destroy()
  }

  pend (): void {
    this.context ??= new AsyncResource('WsRelayHandshake')
    this.#relay.pending.add(this.#handshake)
    this.guard.resumeResponses()
  }

  limit (): void {
    this.pend()
    if (this.#handshake.slot === undefined) this.scheduleTimeout()
  }

  scheduleTimeout (): void {
    const { closing, options: { closeTimeout, upgradeTimeout } } = this.#relay
    this.#schedule(closing ? Math.min(closeTimeout, upgradeTimeout) : upgradeTimeout)
  }

  #schedule (delay: number): void {
    this.#relay.deadlines.schedule(this.#handshake, delay)
  }

  count (): void {
    this.#relay.handshakes.add(this.#handshake)
    this.context = new AsyncResource('WsRelayHandshake')
  }

  inspect (): void {
    const { response, socket } = this
    if (this.guard.isReadByOther) this.#handshake.raise('taken')
    else if (hasEnded(socket)) this.#handshake.raise('ended')
    else if (socket.writableEnded) this.#handshake.raise('finished')
    else if (response?.headersSent === true) this.#handshake.responseStarted(response.statusCode)
  }

  /** The client has ended its side before there is an answer. */
  end (): void {
    if (this.guard.isReadByOther) return
    // As in Node: earlier responses are given up, unless the server allows half-open sockets.
    if (this.isQueued && allowsHalfOpen(this.socket)) this.isHalfOpen = true
    else this.#handshake.raise('closed')
  }

  /** No route has the path, or an earlier response is not complete. */
  route (): void {
    if (this.isQueued) this.socket.destroy()
    else if (this.isTaken) this.#waitForOwner()
    else if (this.routeLate === undefined || !this.#handshake.isOpen) this.socket.destroy()
    else this.runInContext(this.routeLate)
  }

  /** Another owner has written to the socket. If it does not read, `checkSocket` finds a FIN. */
  #waitForOwner (): void {
    if (this.guard.isReadByOther) this.#handshake.raise('taken')
    // With a full read buffer, not even a FIN would be noticed.
    else if (this.#relay.closing || this.guard.isFull) this.socket.destroy()
    else this.scheduleTimeout()
  }

  /** Nobody has answered in time. */
  answer (): void {
    const response = this.response!
    if (response.headersSent) this.#handshake.responseStarted(response.statusCode)
    else this.#writeRefusal()
  }

  /** The handler has not replied in time, or the hooks of its reply have not ended. */
  timeOut (): void {
    const reply = this.reply!
    logTimeout(reply, this.query)
    if (!reply.sent) this.#refuseWith(new errorCodes.FST_WS_RELAY_UPGRADE_TIMEOUT())
    // A handler that hijacks its reply writes the response itself.
    else if (reply.raw.headersSent) this.#handshake.responseStarted(reply.raw.statusCode)
    else if (this.isTaken) this.#handshake.responseStarted()
    else this.#writeRefusal()
  }

  #refuseWith (error: FastifyError): void {
    this.refusal = error
    this.#handshake.raise('refused')
  }

  /** Replies in place of a handler that has not. */
  refuse (): void {
    const reply = this.reply!
    const query = this.query
    this.#stopWaiting()
    // The hooks of the reply are running already, and must not run twice.
    if (query === undefined && isSending(reply)) return this.#writeRefusal()
    // An error handler or a hook may never end. Then the refusal is written without them.
    this.#schedule(Math.min(this.#relay.options.upgradeTimeout, lingerTime))
    this.runInContext(() => { sendError(reply, query, this.refusal!) })
  }

  /** Writes the refusal without Fastify. The handler and its hooks see a client that has gone. */
  #writeRefusal (): void {
    const { FST_WS_RELAY_CLOSING: Closing, FST_WS_RELAY_UPGRADE_TIMEOUT: Timeout } = errorCodes
    const error = this.refusal ?? (this.#relay.closing ? new Closing() : new Timeout())
    const response = this.response!
    this.response = undefined
    this.#handshake.responseStarted(error.statusCode, error.code)
    detachResponse(response, this.socket)
    const written = writeErrorResponse(this.request, this.socket, error)
    this.#handshake.setResponse(written)
    // Hooks and metrics see the reply end once, with the status that the client sees.
    response.statusCode = written.statusCode
    written.once('finish', () => { this.runInContext(() => { response.emit('finish') }) })
    this.#schedule(this.#relay.options.closeTimeout)
  }

  drop (): void {
    this.#stopWaiting()
    this.guard.dropEarly()
    // A closing server waits for this response as long as for a closing handshake.
    if (this.#relay.closing) this.#schedule(this.#relay.options.closeTimeout)
  }

  /** Ends the socket. Unread bytes would make the kernel reset it, and cut the response off. */
  linger (): void {
    this.#stopWaiting()
    this.guard.dropEarly()
    this.pend()
    this.#schedule(lingerTime)
    this.socket.end()
    endRequest(this.request)
  }

  release (): void {
    this.#stopWaiting()
    this.#relay.pending.delete(this.#handshake)
    this.guard.release()
  }

  /** The handshake no longer waits for a handler or a remote node. */
  #stopWaiting (): void {
    this.reply = this.query = undefined
    this.#relay.handshakes.delete(this.#handshake)
    this.#relay.deadlines.cancel(this.#handshake)
  }

  /** The client has gone before there was an answer. */
  abort (): void {
    if (!this.isTaken) this.#relay.upgrades.upgradeAbandoned()
    this.cut()
  }

  /** Node destroys a request when its client leaves, but not the request of an upgrade. */
  cut (): void {
    const query = this.query
    this.#close()
    this.request.destroy()
    if (query !== undefined) this.runInContext(() => { query.onClientGone() })
  }

  #close (): void {
    const earlier = this.isQueued ? responseOn(this.socket) : undefined
    this.release()
    this.socket.destroy()
    earlier?.req.destroy()
  }
}
