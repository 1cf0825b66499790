import { useSharedBuffer } from './read-buffer.js'
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'

const ownerOf = Symbol('fastify-ws-relay.owner')

/** Whose a socket is: its handshake's at first, and then its connection's. */
export interface SocketOwner {
  /** Bytes of the client. Untrusted. */
  onSocketData (bytes: Buffer): void
  /** The client's side has ended. */
  onSocketEnd (): void
  /** `closed` follows. */
  onSocketError (err: Error): void
  onSocketClose (): void
}

/** Who reads its socket, and writes to it. */
export interface SocketReader extends SocketOwner {
  /** The first `length` bytes of a buffer that is read into again when this returns. Untrusted. */
  onBorrowedData (bytes: Buffer, length: number): void
  onSocketDrain (): void
}

/** The listeners are shared, and stay when the owner changes: no owner has closures of its own. */
interface OwnedSocket extends Duplex {
  [ownerOf]: SocketOwner
}

/** What Node writes a socket's bytes to. */
interface WriteHandle {
  readonly bytesWritten?: number
  /** Bytes that it has not handed to the kernel. */
  readonly writeQueueSize?: number
}

/**
 * Bytes that the kernel has taken from a socket since it was opened. `writableLength` keeps the whole
 * of a large write until its last byte has left; the handle counts while it leaves. A stream without
 * a handle has no kernel behind it: there it grows as the stream drains.
 */
export function bytesSent (socket: Duplex): number {
  const { _handle: handle } = socket as { _handle?: WriteHandle | null }
  if (handle?.bytesWritten === undefined || handle.writeQueueSize === undefined) return -socket.writableLength
  return handle.bytesWritten - handle.writeQueueSize
}

/** Gives a socket to an owner, who is told when the client ends its side, and when it fails or closes. */
export function ownSocket (socket: Duplex, owner: SocketOwner): void {
  const owned = socket as OwnedSocket
  const isNew = (owned as Partial<OwnedSocket>)[ownerOf] === undefined
  owned[ownerOf] = owner
  if (!isNew) return
  owned.on('end', onEnd)
  owned.on('error', onError)
  owned.on('close', onClose)
}

/** Closes a stream in place of a socket when both of its sides have ended: `injectWS` makes one that does not. */
export function closeWhenEnded (socket: Duplex): void {
  let openSides = 2
  const ended = (): void => { if (--openSides === 0) socket.destroy() }
  socket.once('end', ended)
  socket.once('finish', ended)
}

/** Reads a socket for its owner. */
export function readSocket (socket: Duplex): void {
  socket.on('data', onData)
}

/** Reads it no more. */
export function stopReadingSocket (socket: Duplex): void {
  socket.off('data', onData)
}

/** Hands a socket to its connection, which reads it from now on. */
export function attachConnection (socket: Duplex, connection: SocketReader): void {
  const bound = socket as OwnedSocket
  ownSocket(bound, connection)
  // None of a HTTP server's timeouts is meant for a connection that may be quiet for hours.
  const { setTimeout, setNoDelay } = socket as Partial<Socket>
  setTimeout?.call(socket, 0)
  setNoDelay?.call(socket, true)
  bound.on('drain', onDrain)
  readSocket(bound)
  useSharedBuffer(bound, onRead)
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

function onData (this: OwnedSocket, bytes: Buffer): void {
  this[ownerOf].onSocketData(bytes)
}

function onRead (this: OwnedSocket, length: number, buffer: Buffer): void {
  (this[ownerOf] as SocketReader).onBorrowedData(buffer, length)
}

function onDrain (this: OwnedSocket): void {
  (this[ownerOf] as SocketReader).onSocketDrain()
}

function onEnd (this: OwnedSocket): void {
  this[ownerOf].onSocketEnd()
}

function onError (this: OwnedSocket, err: Error): void {
  this[ownerOf].onSocketError(err)
}

function onClose (this: OwnedSocket): void {
  this[ownerOf].onSocketClose()
}
