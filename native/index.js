// Loaded by fastify-ws-relay, if it is installed. It is not an interface for applications.
import { getSystemErrorName } from 'node:util'
import { loadBinary } from './binary.js'

const binary = loadBinary()

/** Changes with the arguments of `sendMany`. fastify-ws-relay uses only the version it knows. */
export const version = 1

/**
 * `sendMany(entries, count, bytes)`: each entry is three numbers, the descriptor of a socket, and
 * the offset and the length of its bytes. The length becomes the number of bytes that were sent, or
 * a negative errno.
 */
export const { sendMany } = binary

/** Why io_uring is not used, although it is asked for. */
export const ringError = isAskedFor(process.env.WS_RELAY_IO_URING) ? openRing() : undefined

function isAskedFor (value = '') {
  return !['', '0', 'false'].includes(value)
}

function openRing () {
  const errno = binary.openRing()
  if (errno === 0) return undefined
  const code = getSystemErrorName(-errno)
  return Object.assign(new Error(`io_uring cannot be opened: ${code}`), { code })
}
