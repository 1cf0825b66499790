import { AsyncResource } from 'node:async_hooks'
import { errorCodes } from '../errors.js'
import { allowsHalfOpen, writeErrorResponse, detachResponse, hasEnded, responseOn, retryAfter } from './response.js'
import { stopReadingSocket, ownSocket, readSocket } from '../websocket/socket.js'
import { normalLateness } from '../shared/deadline-timer.js'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyError, FastifyReply } from 'fastify'
import type { Deadline, Slot } from '../shared/deadline-timer.js'
import type { UpgradeServer } from './upgrade-server.js'
import type { SocketOwner } from '../websocket/socket.js'

/** Bytes a client may send behind its handshake before the socket is paused. */
const mostEarlyBytes = 64 * 1024
/** Milliseconds in which a client must close its side after the answer. */
const lingerTime = 1000

/** A question to another node that an upgrade waits for. It is called back at most once. */
export interface RemoteQuery {
  /** There will be another answer. */
  onRefused (error: Error): void
  /** The client has gone. */
  onClientGone (): void
}

/**
 * What is known of an upgrade:
 * - `tracked`: another listener or a route may still take the socket; nobody reads it
 * - `handling`: every check is passed, and the handler runs; nobody reads it yet
 * - `buffering`: the socket is read, and early bytes are kept
 * - `responding`: an ordinary answer is on its way; what the client sends is dropped
 * - `lingering`: the answer is complete, and the client has a second to close
 * - `released`: the socket belongs to a connection or to another owner, or it is closed
 */
type State = 'tracked' | 'handling' | 'buffering' | 'responding' | 'lingering' | 'released'

/**
 * One upgrade, from the moment Node hands over its socket until that socket is a connection, was
 * taken by another owner, or is closed. Node has removed all of its own listeners and deadlines:
 * until then this is all that guards the socket.
 */
export class Handshake implements Deadline, SocketOwner {
  slot: Slot | undefined
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** Made by `injectWS`, which sets no Host, and the version as a number. */
  readonly isInjected: boolean
  /** Whether its route, once it has one, was declared after the plugin. */
  isRouteMarked = false
  /** Called when no other listener has taken the socket within `upgradeTimeout`. */
  route: (() => void) | undefined
  readonly #relay: UpgradeServer
  #early: Buffer[]
  #earlyBytes = 0
  /** Present while a handler that has passed every check is running. */
  #reply: FastifyReply | undefined
  /** Present once the request is routed. */
  #response: ServerResponse | undefined
  #query: RemoteQuery | undefined
  /** The request's `AsyncLocalStorage` context: its hooks run in it, whoever ends the waiting. */
  #context: AsyncResource | undefined
  #state: State = 'tracked'
  /** Requests that came before on this socket have no complete answer yet. */
  #isQueued = false
  /** The client has ended its side, and its earlier requests are still answered. */
  #isHalfOpen = false
  #isReading = false
  /** The handler has replied; `onSend` hooks may still be running. */
  #isSending = false
  #ignoredBytes: number
  #wasExtended = false
  /** Set when the answer was replaced by a refusal. */
  #refusal: FastifyError | undefined

  constructor (relay: UpgradeServer, request: IncomingMessage, socket: Duplex, head: Buffer, isInjected: boolean) {
    this.#relay = relay
    this.request = request
    this.socket = socket
    this.isInjected = isInjected
    this.#early = head.length > 0 ? [head] : []
    this.#ignoredBytes = bytesOn(socket)
    ownSocket(socket, this)
  }

  /** Whether the request asks for a WebSocket, perhaps among other protocols such as `h2c`. */
  get isWebSocket (): boolean {
    const { upgrade } = this.request.headers
    return upgrade === 'websocket' || String(upgrade).toLowerCase().split(',').some((token) => token.trim() === 'websocket')
  }

  /** The client is still there, and waits for an answer. */
  get isOpen (): boolean {
    const isWaiting = this.#state === 'tracked' || this.#state === 'handling' || this.#state === 'buffering'
    return isWaiting && !this.socket.destroyed && this.socket.writable && this.socket.readable
  }

  /** Whether every check was passed before the handler. */
  get hasPassedChecks (): boolean {
    return this.#reply !== undefined
  }

  /**
   * Whether another owner reads the socket or has written to it: `@fastify/websocket` for a route
   * of its own, a handler that upgrades by itself, or another listener of the server.
   */
  get isTaken (): boolean {
    return this.#isRead || (!this.#isQueued && this.#response?.headersSent !== true && bytesOn(this.socket) !== this.#ignoredBytes)
  }

  /** Whether another owner reads the socket: it sees the client leave. */
  get #isRead (): boolean {
    const readers = this.socket.listenerCount('data') + this.socket.listenerCount('readable')
    return readers > (this.#isReading ? 1 : 0)
  }

  /** What was written until now was no answer to the upgrade. */
  ignoreWrittenBytes (): void {
    this.#ignoredBytes = bytesOn(this.socket)
  }

  /** Called when the listeners of `'upgrade'` have run, and requests before this one are still being answered. */
  queueBehindEarlier (): void {
    this.#isQueued = true
    this.#addToPending()
  }

  #addToPending (): void {
    this.#context ??= new AsyncResource('WsRelayHandshake')
    this.#relay.pending.add(this)
    // Node has taken its own listener away: an answer would stop at its first full buffer.
    if (!this.socket.listeners('drain').includes(resumeAnswer)) this.socket.on('drain', resumeAnswer)
  }

  /** Called when the requests before this one are answered. */
  earlierAnswered (): void {
    this.#isQueued = false
    this.ignoreWrittenBytes()
    if (this.#isHalfOpen) this.#linger()
  }

  /** No route has its path: another listener may take the socket. `route` is called when none has. */
  leaveToOthers (route: () => void): void {
    this.#response = undefined
    this.route = route
  }

  /** The request is routed, or about to be: `response` is on its socket. */
  setResponse (response: ServerResponse): void {
    this.#response = response
    this.route = undefined
    const finished = (): void => { if (this.#response === response && this.#state !== 'released') this.#linger() }
    if (response.writableFinished) finished()
    else response.once('finish', finished)
  }

  /** From here on `upgradeTimeout` applies, where the handshake is not complete yet. */
  startTimeout (): void {
    if (this.#state === 'tracked' && this.#isRead) this.#releaseSocket()
    if (this.#state === 'released') return
    this.#addToPending()
    if (this.slot === undefined && (this.#state === 'tracked' || this.#state === 'buffering')) this.#schedule()
  }

  #schedule (): void {
    const { closing, options: { closeTimeout, upgradeTimeout } } = this.#relay
    this.#relay.deadlines.schedule(this, closing ? Math.min(closeTimeout, upgradeTimeout) : upgradeTimeout)
  }

  /** Reads the socket, to notice when the client leaves. Early bytes are kept. */
  bufferEarlyBytes (): void {
    this.#state = 'buffering'
    this.#startReading()
  }

  #startReading (): void {
    if (this.#isReading) return
    this.#isReading = true
    readSocket(this.socket)
  }

  /** Every check is passed, and a handler begins. */
  handlerStarts (reply: FastifyReply): void {
    this.#state = 'handling'
    this.#reply = reply
    Object.assign(reply, { send: trackedSend })
  }

  /** The handler calls `reply.send`, or Fastify does with what it returned. */
  replyIsSending (): void {
    this.#isSending = true
  }

  /** The handler has returned. Where it has not answered, the handshake counts for `maxHandshakes`. */
  handlerReturned (): void {
    if (this.#state !== 'handling') return
    this.#countHandshake()
    // Most async handlers answer within this turn of the event loop, in which nothing is read.
    setImmediate(waitForHandler, this)
  }

  #countHandshake (): void {
    this.#relay.handshakes.add(this)
    this.#context = new AsyncResource('WsRelayHandshake')
  }

  /** Runs code in the context of the request, for an event that belongs to another one. */
  runInContext (run: () => void): void {
    this.#context!.runInAsyncScope(run)
  }

  /** A turn has passed without an answer. */
  waitForHandler (): void {
    if (this.#state !== 'handling') return
    this.bufferEarlyBytes()
    this.#schedule()
  }

  /** The handler has finished, but another node has to be asked: `upgradeTimeout` goes on. */
  waitForRemote (reply: FastifyReply, question: RemoteQuery): void {
    const isWaitedFor = this.#state === 'buffering' && this.#reply !== undefined
    // An earlier hook replied, or no route matched: nothing has begun.
    this.#reply ??= reply
    this.#query = question
    if (isWaitedFor) return
    if (this.#state !== 'buffering') this.bufferEarlyBytes()
    this.#countHandshake()
    this.#schedule()
  }

  get isWaitingForRemote (): boolean {
    return this.#query !== undefined
  }

  /** The question has its answer. */
  remoteAnswered (): void {
    this.#query = undefined
  }

  /** The socket becomes a connection. @returns what the client has sent since its handshake */
  complete (): readonly Buffer[] {
    this.#releaseSocket()
    return this.#early
  }

  /** An ordinary answer is on its way: no frame will be read. */
  responseStarted (): void {
    if (this.#state === 'released' || this.#state === 'lingering' || this.#state === 'responding') return
    this.#state = 'responding'
    this.#stopWaiting()
    this.#early = []
    this.#startReading()
    this.socket.resume()
    // The server waits for it no longer than for a closing handshake.
    if (this.#relay.closing) this.#relay.deadlines.schedule(this, this.#relay.options.closeTimeout)
  }

  /** The server closes: handlers are answered for, and all other answers have `closeTimeout`. */
  serverCloses (): void {
    if (this.#reply !== undefined && !this.#reply.sent) this.refuse(new errorCodes.FST_WS_RELAY_CLOSING())
    else if (this.#state === 'responding' || this.#isQueued) this.#relay.deadlines.schedule(this, this.#relay.options.closeTimeout)
    else if (this.#state !== 'lingering') this.#schedule()
  }

  /** Answers for a handler that has not. */
  refuse (error: FastifyError): void {
    const reply = this.#reply!
    const question = this.#query
    this.#refusal = error
    this.#stopWaiting()
    // Its hooks would run twice at once.
    if (this.#isSending && question === undefined) {
      this.#writeRefusal()
      return
    }
    // An error handler or a hook may never end, either: then the refusal is written without them.
    this.#relay.deadlines.schedule(this, Math.min(this.#relay.options.upgradeTimeout, lingerTime))
    // An error handler may set no status: then this one holds.
    reply.code(error.statusCode!).header('retry-after', retryAfter)
    this.runInContext(() => {
      if (question === undefined) reply.send(error)
      else question.onRefused(error)
    })
  }

  due (late: number): void {
    if (this.#state === 'lingering') this.socket.destroy()
    else if (late > normalLateness && !this.#wasExtended) {
      // The event loop has stalled: what the handler waits for may lie unread in the kernel.
      this.#wasExtended = true
      this.#schedule()
    } else if (this.#reply !== undefined) this.#handlerTimedOut(this.#reply)
    else this.#answerTimedOut()
  }

  #handlerTimedOut (reply: FastifyReply): void {
    if (reply.sent) return this.#hijackTimedOut(reply)
    if (this.#query !== undefined) reply.log.warn('the target of an upgrade is on another node, which did not answer in time')
    else if (this.#isSending) reply.log.warn('the hooks of a reply to an upgrade took longer than upgradeTimeout')
    else reply.log.warn('the handler of an upgrade never replied: a synchronous one must call reply.send(), an asynchronous one must return, and not a reply that was not sent')
    this.refuse(new errorCodes.FST_WS_RELAY_UPGRADE_TIMEOUT())
  }

  /** No handler of the relay's has begun, or its refusal was not written. */
  #answerTimedOut (): void {
    if (this.#state === 'responding' || this.#isQueued) this.socket.destroy()
    else if (this.#state === 'tracked' && this.isTaken) this.#waitForOwner()
    else if (this.#response === undefined) this.#routeUnclaimed()
    else if (this.#response.headersSent) this.responseStarted()
    else this.#writeRefusal()
  }

  /** Another owner has written to the socket. Where it does not read, a client that leaves is still seen here. */
  #waitForOwner (): void {
    if (this.#isRead) this.#releaseSocket()
    // Behind so many bytes that nobody reads, not even a FIN would be seen.
    else if (this.#relay.closing || this.socket.readableLength >= this.socket.readableHighWaterMark) this.socket.destroy()
    else this.#schedule()
  }

  /** Another listener could have taken the socket, and has not. */
  #routeUnclaimed (): void {
    if (this.route === undefined || !this.isOpen) this.socket.destroy()
    else this.runInContext(this.route)
  }

  /** A handler that hijacks its reply answers for its socket; an upgrade that is forgotten is refused. */
  #hijackTimedOut ({ raw, log }: FastifyReply): void {
    log.warn("the handler of an upgrade hijacked its reply, and never replied: `config: { wsRelay: false }` leaves a route's upgrades to its handler")
    const isForgotten = !raw.headersSent && !this.isTaken
    if (isForgotten) this.#writeRefusal()
    else this.responseStarted()
  }

  /** Writes the refusal without Fastify. For the handler and its hooks, the client has gone. */
  #writeRefusal (): void {
    const error = this.#refusal ?? (this.#relay.closing ? new errorCodes.FST_WS_RELAY_CLOSING() : new errorCodes.FST_WS_RELAY_UPGRADE_TIMEOUT())
    const response = this.#response!
    this.#response = undefined
    this.responseStarted()
    detachResponse(response, this.socket)
    const answer = writeErrorResponse(this.request, this.socket, error)
    this.setResponse(answer)
    // Hooks and metrics see the reply end once, with the status that the client sees.
    response.statusCode = answer.statusCode
    answer.once('finish', () => { this.runInContext(() => { response.emit('finish') }) })
    this.#relay.deadlines.schedule(this, this.#relay.options.closeTimeout)
  }

  /** The last bytes must not be reset away by bytes that nobody has read. */
  #linger (): void {
    this.#stopWaiting()
    this.#state = 'lingering'
    this.#early = []
    this.#startReading()
    this.#addToPending()
    this.#relay.deadlines.schedule(this, lingerTime)
    this.socket.end()
    this.socket.resume()
    endOf(this.request)
  }

  #releaseSocket (): void {
    this.#state = 'released'
    this.#stopWaiting()
    this.#relay.pending.delete(this)
    this.socket.off('drain', resumeAnswer)
    if (this.#isReading) stopReadingSocket(this.socket)
    this.#isReading = false
  }

  /** No handler is waited for any more. */
  #stopWaiting (): void {
    this.#reply = this.#query = undefined
    this.#relay.handshakes.delete(this)
    this.#relay.deadlines.cancel(this)
  }

  /** Early bytes are kept until there is an answer. */
  onSocketData (bytes: Buffer): void {
    if (this.#state === 'responding' || this.#state === 'lingering') return
    this.#early.push(bytes)
    this.#earlyBytes += bytes.length
    if (this.#earlyBytes > mostEarlyBytes) this.socket.pause()
  }

  /**
   * Called a few times a second while the handshake is pending. A FIN behind bytes that nobody reads
   * has no event, and an answer of a route out of the plugin's scope has none, either.
   */
  checkSocket (): void {
    if (this.#state !== 'tracked') return
    if (this.#isRead) this.#releaseSocket()
    else if (hasEnded(this.socket)) this.onSocketEnd()
    else if (this.socket.writableEnded) this.#linger()
    else if (this.#response?.headersSent === true) this.responseStarted()
  }

  onSocketError (): void {
    this.socket.destroy()
  }

  /** The client has ended its side. */
  onSocketEnd (): void {
    if (this.#state === 'lingering' || this.#state === 'released' || (this.#state === 'tracked' && this.#isRead)) return
    // As Node does: the answers before it are given up, unless the server allows half-open sockets.
    if (this.#isQueued && allowsHalfOpen(this.socket)) this.#isHalfOpen = true
    else this.onSocketClose()
  }

  /** The client has gone: Node would tell the request only when it was no upgrade. */
  onSocketClose (): void {
    const isWaiting = this.#state !== 'released' && this.#state !== 'lingering' && !(this.#state === 'tracked' && this.isTaken)
    const question = this.#query
    const earlier = this.#isQueued ? responseOn(this.socket) : undefined
    this.#releaseSocket()
    this.socket.destroy()
    earlier?.req.destroy()
    if (isWaiting) this.request.destroy()
    if (question !== undefined) this.runInContext(() => { question.onClientGone() })
  }
}

function waitForHandler (handshake: Handshake): void {
  handshake.waitForHandler()
}

const ofRequest = Symbol('fastify-ws-relay.handshake')

/** The handshake that a request belongs to; only upgrades have one. */
export function handshakeOf (request: object): Handshake | undefined {
  return (request as { [ofRequest]?: Handshake })[ofRequest]
}

/** Makes a request an upgrade. */
export function setHandshake (request: object, handshake: Handshake): void {
  (request as { [ofRequest]?: Handshake })[ofRequest] = handshake
}

/** The `send` of a reply to an upgrade: its hooks may run for longer than `upgradeTimeout`. */
function trackedSend (this: FastifyReply, payload?: unknown): FastifyReply {
  handshakeOf(this.request.raw)!.replyIsSending()
  return (Object.getPrototypeOf(this) as FastifyReply).send.call(this, payload)
}

/** The response that a socket belongs to has room for more. */
function resumeAnswer (this: Duplex): void {
  const response = responseOn(this)
  if (response?.writableNeedDrain === true) response.emit('drain')
}

/** Changes when bytes are written to a socket. */
function bytesOn (socket: Duplex): number {
  return (socket as Partial<Socket>).bytesWritten ?? socket.writableLength
}

/** Ends a request that was answered, as Node does with one that is no upgrade: it is not aborted. */
function endOf (request: IncomingMessage): void {
  request.once('end', () => { request.destroy() })
  request.resume()
}
