import { isProxy } from 'node:util/types'
// A named import: the declaration file refers to `FastifyErrorConstructor`. There the meaning of a
// default import of a CommonJS module depends on the user's `moduleResolution`.
import { createError } from '@fastify/error'

/** The value of `Retry-After` in a 503 answer: seconds after which a client may try again. */
export const retryAfter = '5'

/** Every coded error of this package, by its code. docs/errors.md lists cause, status and fix. */
export const errorCodes = {
  FST_WS_RELAY_INVALID_OPTIONS: createError(
    'FST_WS_RELAY_INVALID_OPTIONS', 'Invalid option: %s', 500, TypeError
  ),
  FST_WS_RELAY_INVALID_CONFIG: createError(
    'FST_WS_RELAY_INVALID_CONFIG', 'The relay configuration of this route is not valid', 500
  ),
  FST_WS_RELAY_TARGET_NOT_ALIVE: createError(
    'FST_WS_RELAY_TARGET_NOT_ALIVE', 'The target of this connection is not alive', 503
  ),
  FST_WS_RELAY_ORIGIN_NOT_ALLOWED: createError(
    'FST_WS_RELAY_ORIGIN_NOT_ALLOWED', 'This origin is not allowed', 403
  ),
  FST_WS_RELAY_UPGRADE_REQUIRED: createError(
    'FST_WS_RELAY_UPGRADE_REQUIRED', 'This resource answers WebSocket upgrades only', 426
  ),
  FST_WS_RELAY_BAD_HANDSHAKE: createError(
    'FST_WS_RELAY_BAD_HANDSHAKE', 'Bad WebSocket handshake: %s', 400
  ),
  FST_WS_RELAY_UPGRADE_TIMEOUT: createError(
    'FST_WS_RELAY_UPGRADE_TIMEOUT', 'The upgrade was not answered in time', 503
  ),
  FST_WS_RELAY_OVERLOADED: createError(
    'FST_WS_RELAY_OVERLOADED', 'Too many WebSocket connections', 503
  ),
  FST_WS_RELAY_CLOSING: createError('FST_WS_RELAY_CLOSING', 'The server is closing', 503),
  FST_WS_RELAY_INVALID_PAYLOAD: createError(
    'FST_WS_RELAY_INVALID_PAYLOAD', "Invalid payload of '%s': %s", 500, TypeError
  ),
  FST_WS_RELAY_TRANSFER_REFUSED: createError(
    'FST_WS_RELAY_TRANSFER_REFUSED', "Connection '%s' cannot be transferred to '%s': %s", 500
  ),

  FST_WS_RELAY_NOT_LOCAL: createError(
    'FST_WS_RELAY_NOT_LOCAL', 'An unprotected dashboard answers this computer only: %s', 403
  ),
  FST_WS_RELAY_INVALID_REQUEST: createError(
    'FST_WS_RELAY_INVALID_REQUEST', 'Invalid request to the dashboard: %s', 400
  ),
  FST_WS_RELAY_ACTION_OFF: createError(
    'FST_WS_RELAY_ACTION_OFF', "The action '%s' is not enabled on this dashboard", 403
  ),

  FST_PROCESS_NOT_ALIVE: createError('FST_PROCESS_NOT_ALIVE', "Process '%s' is not alive", 500),
  FST_PROCESS_CALL_TIMEOUT: createError(
    'FST_PROCESS_CALL_TIMEOUT',
    "Call '%s' to '%s' was not answered within %s ms; the message may still be delivered",
    500
  ),
  FST_PROCESS_CALL_FAILED: createError('FST_PROCESS_CALL_FAILED', 'Call %s failed: %s', 500),
  FST_PROCESS_REFUSED: createError('FST_PROCESS_REFUSED', "Process '%s' refused '%s': %s", 503),
  FST_PROCESS_NAME_TAKEN: createError(
    'FST_PROCESS_NAME_TAKEN', "The name '%s' is registered already", 500
  ),
  FST_PROCESS_INVALID_NAME: createError(
    'FST_PROCESS_INVALID_NAME', "Invalid name '%s': expected %s", 500, TypeError
  ),
  FST_PROCESS_INVALID_TOPIC: createError(
    'FST_PROCESS_INVALID_TOPIC',
    "Invalid topic '%s': expected 1 to 128 characters, not beginning with '@'",
    500, TypeError
  ),
  FST_PROCESS_INVALID_PID: createError(
    'FST_PROCESS_INVALID_PID',
    "Invalid PID '%s': expected a PID or a registered name",
    500, TypeError
  ),
  FST_PROCESS_INVALID_DURATION: createError(
    'FST_PROCESS_INVALID_DURATION', "Invalid duration '%s': %s", 500, TypeError
  ),
  FST_PROCESS_INVALID_REASON: createError(
    'FST_PROCESS_INVALID_REASON',
    "Invalid exit reason '%s': expected 1 to 256 characters",
    500, TypeError
  ),
  FST_PROCESS_INVALID_SPEC: createError(
    'FST_PROCESS_INVALID_SPEC', 'Invalid specification: %s', 500, TypeError
  ),
  FST_PROCESS_INVALID_OPTIONS: createError(
    'FST_PROCESS_INVALID_OPTIONS', 'Invalid option: %s', 500, TypeError
  ),
  FST_PROCESS_ALREADY_SERVING: createError(
    'FST_PROCESS_ALREADY_SERVING', "Process '%s' serves its inbox already", 500
  ),
  FST_PROCESS_STOPPED: createError('FST_PROCESS_STOPPED', "Process '%s' was told to stop: %s", 500),
  FST_PROCESS_TOO_MANY: createError(
    'FST_PROCESS_TOO_MANY', "'%s' cannot start: too many processes of its kind are alive", 503
  ),
  FST_PROCESS_CLOSING: createError(
    'FST_PROCESS_CLOSING', 'The process system is closing and starts nothing new', 503
  ),

  FST_CLUSTER_NODE_NAME_TAKEN: createError(
    'FST_CLUSTER_NODE_NAME_TAKEN',
    "Another node has the name '%s' too: give every node a name of its own",
    500
  ),
  FST_CLUSTER_NO_REGISTRY: createError(
    'FST_CLUSTER_NO_REGISTRY', "The engine '%s' has no register: cluster-wide names need one", 500
  ),
  FST_CLUSTER_NAME_TAKEN: createError(
    'FST_CLUSTER_NAME_TAKEN', "The name '%s' is held by '%s'", 500
  ),
  FST_CLUSTER_INVALID_OPTIONS: createError(
    'FST_CLUSTER_INVALID_OPTIONS', 'Invalid cluster option: %s', 500, TypeError
  ),
  FST_CLUSTER_CLIENT_MISSING: createError(
    'FST_CLUSTER_CLIENT_MISSING',
    "The engine '%s' needs packages that are not installed: npm install %s",
    500
  ),
  FST_CLUSTER_NOT_READY: createError(
    'FST_CLUSTER_NOT_READY',
    'The process system has not joined its cluster yet: await ready() first',
    503
  ),
  FST_CLUSTER_UNAVAILABLE: createError(
    'FST_CLUSTER_UNAVAILABLE', 'The cluster is unavailable: %s', 503
  ),
  FST_CLUSTER_INVALID_PAYLOAD: createError(
    'FST_CLUSTER_INVALID_PAYLOAD',
    "A value cannot be sent to another node: %s at '%s'",
    500, TypeError
  ),
  FST_CLUSTER_UNSUPPORTED: createError(
    'FST_CLUSTER_UNSUPPORTED', "The engine '%s' lacks what a cluster needs: %s", 500
  ),
  FST_CLUSTER_ACCESS_DENIED: createError(
    'FST_CLUSTER_ACCESS_DENIED', "The engine '%s' denied access: %s", 500
  )
}

const longestShown = 80

/** Formats a value for an error message: on one line, and cut after 80 characters. */
export function show (value: unknown): string {
  const text = textOf(value)
  const line = text.slice(0, longestShown).replace(/\p{Cc}/gu, ' ')
  return text.length > longestShown ? `${line}…` : line
}

/** Calls no method of the value: its `toString` could throw. */
function textOf (value: unknown): string {
  if (typeof value === 'function') return '[function]'
  if (typeof value === 'object' && value !== null) {
    return !isProxy(value) && Array.isArray(value) ? '[array]' : '[object]'
  }
  return String(value)
}

/** Wraps a thrown value that is not an Error: JavaScript can throw any value. */
export function toError (thrown: unknown): Error {
  return isError(thrown) ? thrown : new Error(show(thrown), { cause: thrown })
}

function isError (thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error
  } catch {
    // The value is a proxy, and its `getPrototypeOf` trap throws.
    return false
  }
}
