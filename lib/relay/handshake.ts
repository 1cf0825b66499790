import { AsyncResource } from 'node:async_hooks'
import { errorCodes } from '../errors.js'
import { leaveSocket, ownSocket, readSocket } from './socket.js'
import { usuallyLate } from './wheel.js'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { FastifyError, FastifyReply } from 'fastify'
import type { Deadline, Slot } from './wheel.js'
import type { RelayServer } from './server.js'
import type { SocketOwner } from './socket.js'

/** Bytes a client may send behind its handshake before the socket is paused. */
const mostEarlyBytes = 64 * 1024
/** Milliseconds a refused client has to read the answer. */
const lingerTime = 1000
/** Seconds after which a client that was turned away may try again. */
export const retryAfter = '5'

/** A question to another node that an upgrade waits for: told, at most once, that it is in vain. */
export interface Question {
  /** There will be another answer. */
  refused (error: Error): void
  /** The client has gone. */
  gone (): void
}

/**
 * One upgrade, from the moment Node hands over its socket until that socket is a connection, was
 * taken by somebody else, or has its HTTP answer. Node has removed all of its own listeners: until
 * then this is all that guards the socket.
 */
export class Handshake implements Deadline, SocketOwner {
  slot: Slot | undefined
  readonly request: IncomingMessage
  readonly socket: Duplex
  /** Made by `injectWS`, which sets no Host, and the version as a number. */
  readonly isInjected: boolean
  /** Whether others listen to the server's upgrades. */
  readonly isShared: boolean
  /** Whether its route, once it has one, was declared after the plugin. */
  isMarked = false
  readonly #relay: RelayServer
  #early: Buffer[]
  #earlyBytes = 0
  /** There while the handler of an upgrade that has passed all checks is at work. */
  #reply: FastifyReply | undefined
  #question: Question | undefined
  /** The request's `AsyncLocalStorage` context: its hooks run in it, whoever ends the waiting. */
  #context: AsyncResource | undefined
  #state: 'noted' | 'begun' | 'watched' | 'answered' | 'over' = 'noted'
  #traces: number
  #excused = false

  constructor (relay: RelayServer, request: IncomingMessage, socket: Duplex, head: Buffer, isInjected: boolean, isShared: boolean) {
    this.#relay = relay
    this.request = request
    this.socket = socket
    this.isInjected = isInjected
    this.#early = head.length > 0 ? [head] : []
    this.isShared = isShared
    this.#traces = tracesOn(socket)
    ownSocket(socket, this)
  }

  /** Whether the request asks for a WebSocket, and not for another protocol such as `h2c`. */
  get isWebSocket (): boolean {
    return String(this.request.headers.upgrade).toLowerCase() === 'websocket'
  }

  /** The client is still there, and waits for an answer. */
  get isOpen (): boolean {
    return this.#state !== 'over' && !this.socket.destroyed && this.socket.writable && this.socket.readable
  }

  /** Whether every check was passed before the handler. */
  get hasBegun (): boolean {
    return this.#reply !== undefined
  }

  /** Whether somebody else has taken the socket who shares the server: Socket.IO, or another. */
  get isTaken (): boolean {
    return this.isShared && this.#isUsed
  }

  get #isUsed (): boolean {
    return tracesOn(this.socket) !== this.#traces
  }

  /** What was written until now was the answer to an earlier request. */
  touched (): void {
    this.#traces = tracesOn(this.socket)
  }

  /** Reads the socket, to notice when the client leaves; what it sends already is kept. */
  watch (): void {
    this.#state = 'watched'
    readSocket(this.socket)
  }

  /** Every check is passed, and a handler begins to work on it. */
  begin (reply: FastifyReply): void {
    this.#state = 'begun'
    this.#reply = reply
  }

  /** The handler has returned: where it has not answered, it is waited for. */
  wait (): void {
    if (this.#state !== 'begun') return
    this.#waits()
    // Most asynchronous ones answer within this turn of the event loop, in which nothing is read.
    setImmediate(waitOn, this)
  }

  #waits (): void {
    this.#relay.handshakes.add(this)
    this.#context = new AsyncResource('WsRelayHandshake')
  }

  /** A turn has passed without an answer. */
  waitOn (): void {
    if (this.#state !== 'begun') return
    this.watch()
    this.#relay.wheel.schedule(this, this.#relay.options.upgradeTimeout)
  }

  /** The handler is through, but another node has to be asked: `upgradeTimeout` goes on. */
  ask (reply: FastifyReply, question: Question): void {
    const isWaitedFor = this.#state === 'watched' && this.#reply !== undefined
    // An earlier hook replied, or no route matched: nothing has begun.
    this.#reply ??= reply
    this.#question = question
    if (isWaitedFor) return
    if (this.#state !== 'watched') this.watch()
    this.#waits()
    this.#relay.wheel.schedule(this, this.#relay.options.upgradeTimeout)
  }

  get isAsking (): boolean {
    return this.#question !== undefined
  }

  /** The question has its answer. */
  asked (): void {
    this.#question = undefined
  }

  /** It becomes a connection: hands over what the client has sent since. */
  complete (): readonly Buffer[] {
    this.#leave()
    return this.#early
  }

  /** It has an ordinary answer, which is on its way: no frame will be read. */
  answered (): void {
    if (this.#state === 'begun') this.watch()
    if (this.#state !== 'watched') return
    this.#state = 'answered'
    this.#settle()
    this.#early = []
    this.socket.resume()
  }

  /** Its socket ends when the response is complete, for its HTTP parser is gone. */
  answer (response: ServerResponse): void {
    response.once('finish', () => {
      if (this.#state !== 'over') this.#linger()
    })
  }

  /** Answers for a handler that has not. */
  refuse (error: FastifyError): void {
    const reply = this.#reply!
    if (reply.sent) return
    const question = this.#question
    this.#settle()
    // An error handler may never reply, either: then the socket is cut.
    this.#relay.wheel.schedule(this, this.#relay.options.upgradeTimeout)
    try {
      // An error handler may set no status: then this one holds.
      reply.code(error.statusCode!).header('retry-after', retryAfter)
      this.#context!.runInAsyncScope(() => {
        if (question === undefined) reply.send(error)
        else question.refused(error)
      })
    } catch {
      // Fastify takes no reply while an onError hook is at work: the deadline ends it.
    }
  }

  due (late: number): void {
    const reply = this.#reply
    if (reply === undefined) this.socket.destroy()
    else if (late > usuallyLate && !this.#excused) {
      // The event loop has stalled: what the handler waits for may lie unread in the kernel.
      this.#excused = true
      this.#relay.wheel.schedule(this, this.#relay.options.upgradeTimeout)
    } else if (reply.sent) this.#hijacked(reply)
    else if (this.#question !== undefined) {
      reply.log.warn('the target of an upgrade is on another node, which did not answer in time')
      this.refuse(new errorCodes.FST_WS_RELAY_UPGRADE_TIMEOUT())
    } else {
      reply.log.warn('the handler of an upgrade never replied: a synchronous one must call reply.send(), an asynchronous one must return, and not a reply that was not sent')
      this.refuse(new errorCodes.FST_WS_RELAY_UPGRADE_TIMEOUT())
    }
  }

  /** Whoever hijacks a reply answers for its socket; an upgrade that is forgotten is refused. */
  #hijacked ({ raw, log }: FastifyReply): void {
    const forgotten = !raw.headersSent && this.socket.listenerCount('data') === 1
    this.answered()
    log.warn("the handler of an upgrade hijacked its reply, and never replied: `config: { wsRelay: false }` leaves a route's upgrades to its handler")
    if (!forgotten) return
    raw.on('error', () => {})
    raw.writeHead(503).end()
  }

  /** The last bytes must not be reset away by bytes that nobody has read. */
  #linger (): void {
    this.#leave()
    this.socket.end()
    this.socket.resume()
    this.#relay.wheel.schedule(this, lingerTime)
    endOf(this.request)
  }

  #leave (): void {
    const isRead = this.#state === 'watched' || this.#state === 'answered'
    this.#state = 'over'
    this.#settle()
    if (isRead) leaveSocket(this.socket)
  }

  /** No handler is waited for any more. */
  #settle (): void {
    this.#reply = this.#question = undefined
    this.#relay.handshakes.delete(this)
    this.#relay.wheel.cancel(this)
  }

  /** What a client sends before it has an answer is kept. */
  receive (bytes: Buffer): void {
    if (this.#state === 'answered') return
    this.#early.push(bytes)
    this.#earlyBytes += bytes.length
    if (this.#earlyBytes > mostEarlyBytes) this.socket.pause()
  }

  failed (): void {
    this.socket.destroy()
  }

  lost (): void {
    this.closed()
  }

  /** The client has gone: Node itself would tell the request only when it was no upgrade. */
  closed (): void {
    const isWaiting = this.#state !== 'over' && !(this.#state === 'noted' && this.#isUsed)
    const question = this.#question
    this.#leave()
    this.socket.destroy()
    if (isWaiting) this.request.destroy()
    if (question !== undefined) this.#context!.runInAsyncScope(() => { question.gone() })
  }
}

function waitOn (handshake: Handshake): void {
  handshake.waitOn()
}

/** Changes when somebody writes to a socket or begins to read it. */
function tracesOn (socket: Duplex): number {
  return socket.listenerCount('data') + ((socket as Partial<Socket>).bytesWritten ?? socket.writableLength)
}

/** Ends a request that was answered, as Node does with one that is no upgrade: it is not aborted. */
function endOf (request: IncomingMessage): void {
  request.once('end', () => { request.destroy() })
  request.resume()
}
