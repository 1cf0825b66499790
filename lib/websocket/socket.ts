import { useSharedBuffer } from './read-buffer.js'
import type { Duplex } from 'node:stream'
import type { Socket } from 'node:net'

const ownerOf = Symbol('fastify-ws-relay.owner')

/** The owner of a socket: at first its handshake, and then its transport. */
export interface SocketOwner {
  /** Called with bytes of the client. Untrusted. */
  onSocketData (bytes: Buffer): void
  /** Called when the client has ended its side. */
  onSocketEnd (): void
  /** Called before `onSocketClose`. */
  onSocketError (err: Error): void
  onSocketClose (): void
}

/** A transport: it reads its socket and writes to it. */
export interface SocketReader extends SocketOwner {
  /**
   * Called with a read, in the first `length` bytes of the buffer. The next read overwrites them
   * when this returns. Untrusted.
   */
  onBorrowedData (bytes: Buffer, length: number): void
  onSocketDrain (): void
}

/** All sockets share the same listeners, which find the owner here. So no owner has closures. */
interface OwnedSocket extends Duplex {
  [ownerOf]: SocketOwner
}

/** The part of libuv's stream handle that is used here. */
interface WriteHandle {
  readonly bytesWritten?: number
  /** Bytes that the kernel has not taken. */
  readonly writeQueueSize?: number
}

/**
 * Counts the bytes that the kernel has taken from a socket since it was opened. `writableLength` is
 * no help: it contains the whole of a large write until the kernel has taken its last byte. A
 * stream without a handle counts nothing: its result is negative, and grows to 0 while it drains.
 */
export function bytesSent (socket: Duplex): number {
  const { _handle: handle } = socket as { _handle?: WriteHandle | null }
  if (handle?.bytesWritten === undefined || handle.writeQueueSize === undefined) {
    return -socket.writableLength
  }
  return handle.bytesWritten - handle.writeQueueSize
}

/** Sets the owner of a socket, which is called when the socket ends, fails or closes. */
export function ownSocket (socket: Duplex, owner: SocketOwner): void {
  const owned = socket as OwnedSocket
  const isNew = (owned as Partial<OwnedSocket>)[ownerOf] === undefined
  owned[ownerOf] = owner
  if (!isNew) return
  owned.on('end', onEnd)
  owned.on('error', onError)
  owned.on('close', onClose)
}

/**
 * Destroys the stream of an `injectWS` when both of its sides have ended, as a socket does itself.
 */
export function closeWhenEnded (socket: Duplex): void {
  let openSides = 2
  const ended = (): void => { if (--openSides === 0) socket.destroy() }
  socket.once('end', ended)
  socket.once('finish', ended)
}

/** Passes the bytes of a socket to its owner. */
export function readSocket (socket: Duplex): void {
  socket.on('data', onData)
}

export function stopReadingSocket (socket: Duplex): void {
  socket.off('data', onData)
}

/** Makes a transport the owner of a socket, and reads the socket. */
export function attachTransport (socket: Duplex, transport: SocketReader): void {
  const bound = socket as OwnedSocket
  ownSocket(bound, transport)
  // The timeouts of the HTTP server are not for connections, which may be idle for hours.
  const { setTimeout, setNoDelay } = socket as Partial<Socket>
  setTimeout?.call(socket, 0)
  setNoDelay?.call(socket, true)
  bound.on('drain', onDrain)
  readSocket(bound)
  useSharedBuffer(bound, onRead)
  // The handshake may have paused the socket.
  bound.resume()
}

/**
 * Takes the bytes out of a paused stream that it has read and not emitted. When the socket is
 * closed the stream itself would drop them.
 */
export function takeBufferedChunks (socket: Duplex): Buffer[] {
  const chunks: Buffer[] = []
  const read = (): Buffer | null => socket.read() as Buffer | null
  socket.off('data', onData)
  for (let chunk = read(); chunk !== null; chunk = read()) chunks.push(chunk)
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
