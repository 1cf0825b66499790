import { errorCodes } from '../../../errors.js'
import type { jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { Kvm } from '@nats-io/kv'
import type { connect, createInbox, headers } from '@nats-io/transport-node'

const { FST_CLUSTER_ACCESS_DENIED, FST_CLUSTER_UNSUPPORTED } = errorCodes

/** The parts of the client's three packages that are used. */
export interface NatsClient {
  connect: typeof connect
  createInbox: typeof createInbox
  headers: typeof headers
  jetstream: typeof jetstream
  jetstreamManager: typeof jetstreamManager
  Kvm: typeof Kvm
}

/** Names of errors, because several copies of the client's classes may be loaded. */
const deniedNames = [
  'AuthorizationError', 'UserAuthenticationExpiredError', 'PermissionViolationError'
]

/** Code of the JetStream API: JetStream is not enabled for the account. */
const noJetStreamForAccount = 10039

/** Converts an error of the first connection to a coded one, if no retry can help. */
export function codedStartError (error: unknown): unknown {
  const isUnsupported = causesOf(error).some((cause) =>
    cause.name === 'JetStreamNotEnabled' || jetStreamCode(cause) === noJetStreamForAccount)
  if (!isUnsupported) return codedError(error)
  return new FST_CLUSTER_UNSUPPORTED('nats', 'JetStream is not enabled', { cause: error })
}

/**
 * Converts an error of a later connection. It ignores "JetStream is not enabled", because a server
 * also says that while the bucket has no leader.
 */
export function codedError (error: unknown): unknown {
  const refusal = causesOf(error).find(({ name }) => deniedNames.includes(name))
  if (refusal === undefined) return error
  return new FST_CLUSTER_ACCESS_DENIED('nats', refusal.message, { cause: error })
}

/** An error, its cause, the cause of that, and so on. */
function causesOf (error: unknown): Error[] {
  const causes: Error[] = []
  for (let cause = error; cause instanceof Error; cause = cause.cause) causes.push(cause)
  return causes
}

/** The code of an error, where it is one of the JetStream API. */
export function jetStreamCode (error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
