import { errorCodes } from '../../errors.js'

const { FST_CLUSTER_ACCESS_DENIED, FST_CLUSTER_UNSUPPORTED } = errorCodes

/** By name: there may be more than one copy of the client's classes. */
const denied = ['AuthorizationError', 'UserAuthenticationExpiredError', 'PermissionViolationError']

/** JetStream is not enabled: on the server, or for the account. */
const noJetStreamForAccount = 10039

/** An error of the client as one of ours, where it is one that no retry can mend. */
export function natsError (error: unknown): unknown {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (denied.includes(cause.name)) return new FST_CLUSTER_ACCESS_DENIED('nats', cause.message, { cause: error })
    if (cause.name === 'JetStreamNotEnabled' || codeOf(cause) === noJetStreamForAccount) {
      return new FST_CLUSTER_UNSUPPORTED('nats', 'JetStream is not enabled', { cause: error })
    }
  }
  return error
}

/** The code of an error of the JetStream API. */
export function codeOf (error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
