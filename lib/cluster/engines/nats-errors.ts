import { errorCodes } from '../../errors.js'

const { FST_CLUSTER_ACCESS_DENIED, FST_CLUSTER_UNSUPPORTED } = errorCodes

/** By name: there may be more than one copy of the client's classes. */
const denied = ['AuthorizationError', 'UserAuthenticationExpiredError', 'PermissionViolationError']

/** JetStream is not enabled: on the server, or for the account. */
const noJetStreamForAccount = 10039

/** An error of the client at the start as one of ours, where it is one that no retry can mend. */
export function natsError (error: unknown): unknown {
  const unsupported = causesOf(error).some((cause) => cause.name === 'JetStreamNotEnabled' || codeOf(cause) === noJetStreamForAccount)
  return unsupported ? new FST_CLUSTER_UNSUPPORTED('nats', 'JetStream is not enabled', { cause: error }) : accessError(error)
}

/**
 * The same of a connection that is in use. JetStream was there: it says that it is not enabled while its bucket has no
 * leader.
 */
export function accessError (error: unknown): unknown {
  const refusal = causesOf(error).find(({ name }) => denied.includes(name))
  return refusal === undefined ? error : new FST_CLUSTER_ACCESS_DENIED('nats', refusal.message, { cause: error })
}

/** An error, what caused it, and so on. */
function causesOf (error: unknown): Error[] {
  const causes: Error[] = []
  for (let cause = error; cause instanceof Error; cause = cause.cause) causes.push(cause)
  return causes
}

/** The code of an error of the JetStream API. */
export function codeOf (error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
