import { errorCodes } from '../errors.js'

/** Seconds after which a client may ask again, in an answer that Fastify makes of the error. */
const retryAfter = '5'

/** `FST_CLUSTER_UNAVAILABLE` of a name: a route that does not catch it answers 503 with `Retry-After`. */
export function unavailable (why: string, options?: ErrorOptions): Error {
  const error = options === undefined ? new errorCodes.FST_CLUSTER_UNAVAILABLE(why) : new errorCodes.FST_CLUSTER_UNAVAILABLE(why, options)
  return Object.assign(error, { headers: { 'retry-after': retryAfter } })
}
