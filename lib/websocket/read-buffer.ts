import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** Told of a read; `this` is the socket, and the buffer is good until it returns. */
export type OnRead<S extends Duplex = Duplex> = (this: S, length: number, buffer: Buffer) => void

/** What libuv would have allocated for each read. */
const readSize = 64 * 1024

/** A stream that the kernel is read through. */
interface Handle {
  useUserBuffer? (buffer: Buffer): void
}

/** @internal */
export interface Slots {
  readonly buffer: symbol
  readonly callback: symbol
}

/**
 * Where `net.Socket` keeps its option `onread`, "incoming data is stored in a single buffer and
 * passed to the supplied callback": its constructor alone takes it, and a server's sockets are made
 * by Node. Where there is no such place, sockets are read as streams.
 *
 * @internal
 */
export function findSlots (socket: object): Slots | null {
  const symbols = Object.getOwnPropertySymbols(socket)
  const [buffer, callback] = ['kBuffer', 'kBufferCb'].map((name) => symbols.find(({ description }) => description === name))
  return buffer === undefined || callback === undefined ? null : { buffer, callback }
}

/**
 * One buffer serves all sockets: what was read is parsed before the next read. Not so on Windows,
 * where a read begins before there are bytes.
 *
 * @internal
 */
export function sharedBuffer (platform: NodeJS.Platform): Buffer | null {
  return platform === 'win32' ? null : Buffer.allocUnsafeSlow(readSize)
}

const shared = sharedBuffer(process.platform)
const ofNode = findSlots(new Socket())

/**
 * Has a socket read into a buffer that all share, instead of one of 64 KiB for each read, cut to
 * size, pushed through the stream and collected. Changes nothing for a stream that is not read from
 * the kernel; what such a one, or any before, has buffered is still told by `data`.
 */
export function useSharedBuffer<S extends Duplex> (socket: S, onRead: OnRead<S>, buffer = shared, slots = ofNode): void {
  const { _handle: handle } = socket as { _handle?: Handle | null }
  const fields = socket as unknown as Record<symbol, unknown>
  if (buffer === null || slots === null || typeof handle?.useUserBuffer !== 'function' || fields[slots.buffer] !== null) return
  handle.useUserBuffer(buffer)
  fields[slots.buffer] = buffer
  fields[slots.callback] = onRead
}
