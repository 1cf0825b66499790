import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Called after each read with the socket as `this`. The buffer is reused after it returns. */
export type OnRead<S extends Duplex = Duplex> = (this: S, length: number, buffer: Buffer) => void

/** The size of the buffer that libuv allocates for each read. */
const readSize = 64 * 1024

/** The part of libuv's stream handle that is used here. */
interface Handle {
  useUserBuffer? (buffer: Buffer): void
}

/**
 * The symbols under which `net.Socket` stores its option `onread`.
 * @internal
 */
export interface OnReadFields {
  readonly buffer: symbol
  readonly callback: symbol
}

/**
 * Finds the symbols under which `net.Socket` stores its option `onread` ("incoming data is stored
 * in a single buffer and passed to the supplied callback"). Only the constructor takes that option,
 * and Node itself makes the sockets of a server.
 *
 * @returns null if this version of Node has no such symbols: then sockets are read as streams
 * @internal
 */
export function findOnReadFields (socket: object): OnReadFields | null {
  const symbols = Object.getOwnPropertySymbols(socket)
  const find = (name: string): symbol | undefined =>
    symbols.find(({ description }) => description === name)
  const buffer = find('kBuffer')
  const callback = find('kBufferCb')
  return buffer === undefined || callback === undefined ? null : { buffer, callback }
}

/**
 * Makes the buffer that all sockets are read into. The bytes of a read are parsed before the next
 * read starts.
 *
 * @returns null on Windows, where a read claims its buffer before there are bytes
 * @internal
 */
export function sharedBuffer (platform: NodeJS.Platform): Buffer | null {
  return platform === 'win32' ? null : Buffer.allocUnsafeSlow(readSize)
}

/** Null where each read has a buffer of its own. */
export const readBuffer = sharedBuffer(process.platform)
const nodeFields = findOnReadFields(new Socket())

/**
 * Makes a socket read into the shared buffer. Otherwise each read allocates 64 KiB, cuts them to
 * size, and passes them through the stream.
 *
 * It changes nothing for a stream that is not read from the kernel. Bytes that a stream has already
 * buffered are still emitted as `data`.
 */
export function useSharedBuffer<S extends Duplex> (
  socket: S, onRead: OnRead<S>, buffer = readBuffer, fields = nodeFields
): void {
  const { _handle: handle } = socket as { _handle?: Handle | null }
  const owner = socket as unknown as Record<symbol, unknown>
  if (buffer === null || fields === null || typeof handle?.useUserBuffer !== 'function') return
  // The socket already has a buffer of its own.
  if (owner[fields.buffer] !== null) return
  handle.useUserBuffer(buffer)
  owner[fields.buffer] = buffer
  owner[fields.callback] = onRead
}
