// Loaded by fastify-ws-relay, if it is installed. It is not an interface for applications.
import { loadBinary } from './binary.js'

/** Changes with the arguments of `sendMany`. fastify-ws-relay uses only the version it knows. */
export const version = 1

/**
 * `sendMany(entries, count, bytes)`: each entry is three numbers, the descriptor of a socket, and
 * the offset and the length of its bytes. The length becomes the number of bytes that were sent, or
 * a negative errno.
 */
export const { sendMany } = loadBinary()
