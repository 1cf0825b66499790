import t from 'tap'
import { accessError, codeOf, natsError } from '../../../lib/cluster/engines/nats-errors.js'

const named = (name: string, cause?: Error): Error => Object.assign(new Error(name, { cause }), { name })

t.test('what no retry can mend has a code of ours, wherever it stands in the chain of causes', async (t) => {
  for (const name of ['AuthorizationError', 'UserAuthenticationExpiredError', 'PermissionViolationError']) {
    const error = named('RequestError', named(name))
    t.match(natsError(error), { code: 'FST_CLUSTER_ACCESS_DENIED', cause: error })
  }
  t.match(natsError(named('JetStreamNotEnabled')), { code: 'FST_CLUSTER_UNSUPPORTED' })
  t.match(natsError(Object.assign(named('JetStreamApiError'), { code: 10039 })), { code: 'FST_CLUSTER_UNSUPPORTED' })
})

t.test('in use, a bucket without a leader is no missing JetStream', async (t) => {
  const error = named('JetStreamNotEnabled')
  t.equal(accessError(error), error)
  t.match(accessError(named('RequestError', named('PermissionViolationError'))), { code: 'FST_CLUSTER_ACCESS_DENIED' })
})

t.test('all else is left as it is', async (t) => {
  for (const error of [named('TimeoutError', named('Error')), 'text', undefined]) t.equal(natsError(error), error)
  t.equal(codeOf('text'), undefined)
  t.equal(codeOf(named('Error')), undefined)
  t.equal(codeOf(Object.assign(named('JetStreamApiError'), { code: 10071 })), 10071)
})
