import { errorCodes, retryAfter, show } from '../errors.js'
import { isPid } from '../process/pid.js'

/**
 * `FST_CLUSTER_UNAVAILABLE` for an operation on a name. If a route does not catch it, Fastify
 * answers 503 with a `Retry-After` header.
 */
export function unavailableError (why: string, options?: ErrorOptions): Error {
  const { FST_CLUSTER_UNAVAILABLE } = errorCodes
  const error = options === undefined
    ? new FST_CLUSTER_UNAVAILABLE(why)
    : new FST_CLUSTER_UNAVAILABLE(why, options)
  return Object.assign(error, { headers: { 'retry-after': retryAfter } })
}

/**
 * The error for a PID that is not of this incarnation of this node. Such a process can neither
 * register a name nor join a group here.
 */
export function notLocalError (pid: unknown): Error {
  const { FST_PROCESS_INVALID_PID, FST_PROCESS_NOT_ALIVE } = errorCodes
  return isPid(pid) ? new FST_PROCESS_NOT_ALIVE(pid) : new FST_PROCESS_INVALID_PID(show(pid))
}
