import createError from '@fastify/error'
import { errorCodes as processErrors, show } from '../errors.js'
import { isPid } from '../process/pid.js'

export { show, toError } from '../errors.js'

/** The coded errors of a cluster, beside those of the process system. */
export const errorCodes = {
  ...processErrors,
  FST_CLUSTER_NODE_NAME_TAKEN: createError('FST_CLUSTER_NODE_NAME_TAKEN', "Another node has the name '%s' too: give every node a name of its own", 500),
  FST_CLUSTER_NO_REGISTRY: createError('FST_CLUSTER_NO_REGISTRY', "The engine '%s' has no register: cluster-wide names need one", 500),
  FST_CLUSTER_NAME_TAKEN: createError('FST_CLUSTER_NAME_TAKEN', "The name '%s' is held by '%s'", 500),
  FST_CLUSTER_INVALID_OPTIONS: createError('FST_CLUSTER_INVALID_OPTIONS', 'Invalid cluster option: %s', 500, TypeError),
  FST_CLUSTER_CLIENT_MISSING: createError('FST_CLUSTER_CLIENT_MISSING', "The engine '%s' needs the package '%s', which is not installed", 500),
  FST_CLUSTER_UNAVAILABLE: createError('FST_CLUSTER_UNAVAILABLE', 'The cluster is unavailable: %s', 503),
  FST_CLUSTER_UNSUPPORTED: createError('FST_CLUSTER_UNSUPPORTED', "The engine '%s' lacks what a cluster needs: %s", 500),
  FST_CLUSTER_ACCESS_DENIED: createError('FST_CLUSTER_ACCESS_DENIED', "The engine '%s' denied access: %s", 500)
}

/** Why a process cannot have a name, or be in a group: it is of another node, of an earlier start of this one, or none. */
export function notHere (pid: unknown): Error {
  return isPid(pid) ? new errorCodes.FST_PROCESS_NOT_ALIVE(pid) : new errorCodes.FST_PROCESS_INVALID_PID(show(pid))
}
