import { lendBuffer } from './reading.js'
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import type { Connection } from './connection.js'

const ofSocket = Symbol('fastify-ws-relay.connection')

/** A socket that a connection is bound to. */
interface BoundSocket extends Duplex {
  [ofSocket]: Connection
}

/** Hands a socket to its connection. The listeners are shared: no connection has closures of its own. */
export function bindSocket (socket: Duplex, connection: Connection): void {
  const bound = socket as BoundSocket
  bound[ofSocket] = connection
  // None of a HTTP server's timeouts is meant for a connection that may be quiet for hours.
  const { setTimeout, setNoDelay } = socket as Partial<Socket>
  setTimeout?.call(socket, 0)
  setNoDelay?.call(socket, true)
  bound.on('drain', onDrain)
  bound.on('end', onEnd)
  bound.on('error', onError)
  bound.on('close', onClose)
  bound.on('data', onData)
  lendBuffer(bound, onRead)
  // The handshake may have paused it.
  bound.resume()
}

/**
 * What a paused stream has read and not handed out yet, taken out of it: when the socket is gone
 * the stream itself would drop it.
 */
export function bufferedIn (socket: Duplex): Buffer[] {
  const chunks: Buffer[] = []
  socket.off('data', onData)
  for (let chunk = socket.read() as Buffer | null; chunk !== null; chunk = socket.read() as Buffer | null) chunks.push(chunk)
  socket.on('data', onData)
  return chunks
}

function onData (this: BoundSocket, bytes: Buffer): void {
  this[ofSocket].receive(bytes)
}

function onRead (this: BoundSocket, length: number, buffer: Buffer): void {
  this[ofSocket].receiveLent(buffer, length)
}

function onDrain (this: BoundSocket): void {
  this[ofSocket].drained()
}

function onEnd (this: BoundSocket): void {
  this[ofSocket].lost()
}

function onError (this: BoundSocket, err: Error): void {
  // `close` follows, and tells the target.
  this[ofSocket].log.debug({ err }, 'socket error')
}

function onClose (this: BoundSocket): void {
  this[ofSocket].closed()
}
