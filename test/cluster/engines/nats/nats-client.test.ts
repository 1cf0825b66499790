import t from 'tap'
import {
  codedError,
  jetStreamCode,
  codedStartError
} from '../../../../lib/cluster/engines/nats/nats-client.js'

const named = (name: string, cause?: Error): Error =>
  Object.assign(new Error(name, { cause }), { name })

t.test('converts a permanent error at any place in the chain of causes', async (t) => {
  for (const name of [
    'AuthorizationError',
    'UserAuthenticationExpiredError',
    'PermissionViolationError'
  ]) {
    const error = named('RequestError', named(name))
    t.match(codedStartError(error), { code: 'FST_CLUSTER_ACCESS_DENIED', cause: error })
  }
  t.match(codedStartError(named('JetStreamNotEnabled')), { code: 'FST_CLUSTER_UNSUPPORTED' })
  t.match(codedStartError(Object.assign(named('JetStreamApiError'), { code: 10039 })), {
    code: 'FST_CLUSTER_UNSUPPORTED'
  })
})

t.test(
  'does not take a bucket without a leader for missing JetStream on later connections',
  async (t) => {
    const error = named('JetStreamNotEnabled')
    t.equal(codedError(error), error)
    t.match(codedError(named('RequestError', named('PermissionViolationError'))), {
      code: 'FST_CLUSTER_ACCESS_DENIED'
    })
  }
)

t.test('returns any other error unchanged', async (t) => {
  for (const error of [named('TimeoutError', named('Error')), 'text', undefined]) {
    t.equal(codedStartError(error), error)
  }
  t.equal(jetStreamCode('text'), undefined)
  t.equal(jetStreamCode(named('Error')), undefined)
  t.equal(jetStreamCode(Object.assign(named('JetStreamApiError'), { code: 10071 })), 10071)
})
