import { errorCodes } from '../../errors.js'
import type { jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { Kvm } from '@nats-io/kv'
import type { connect, createInbox, headers } from '@nats-io/transport-node'

const { FST_CLUSTER_ACCESS_DENIED, FST_CLUSTER_UNSUPPORTED } = errorCodes

/** What is used of the client's three packages. */
export interface NatsClient {
  connect: typeof connect
  createInbox: typeof createInbox
  headers: typeof headers
  jetstream: typeof jetstream
  jetstreamManager: typeof jetstreamManager
  Kvm: typeof Kvm
}

/** By name: there may be more than one copy of the client's classes. */
const deniedNames = ['AuthorizationError', 'UserAuthenticationExpiredError', 'PermissionViolationError']

/** JetStream is not enabled: on the server, or for the account. */
const noJetStreamForAccount = 10039

/** An error of the client at the start as one of ours, where it is one that no retry can mend. */
export function codedStartError (error: unknown): unknown {
  const unsupported = causesOf(error).some((cause) => cause.name === 'JetStreamNotEnabled' || jetStreamCode(cause) === noJetStreamForAccount)
  return unsupported ? new FST_CLUSTER_UNSUPPORTED('nats', 'JetStream is not enabled', { cause: error }) : codedError(error)
}

/**
 * The same of a connection that is in use. JetStream was there: it says that it is not enabled while its bucket has no
 * leader.
 */
export function codedError (error: unknown): unknown {
  const refusal = causesOf(error).find(({ name }) => deniedNames.includes(name))
  return refusal === undefined ? error : new FST_CLUSTER_ACCESS_DENIED('nats', refusal.message, { cause: error })
}

/** An error, what caused it, and so on. */
function causesOf (error: unknown): Error[] {
  const causes: Error[] = []
  for (let cause = error; cause instanceof Error; cause = cause.cause) causes.push(cause)
  return causes
}

/** The code of an error of the JetStream API. */
export function jetStreamCode (error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}
