import t from 'tap'
import { loadClient } from '../../../lib/cluster/engines/load-client.js'

t.test('a client that is not installed is named', async (t) => {
  const missing = 'no-such-client-of-an-engine'
  await t.rejects(loadClient('nats', missing, () => import(missing)), { code: 'FST_CLUSTER_CLIENT_MISSING', message: /'nats'.*'no-such-client-of-an-engine'/ })
})

t.test('a client that fails for another reason says so itself', async (t) => {
  const broken = new Error('broken')
  await t.rejects(loadClient('nats', 'x', async () => { throw broken }), broken)
  t.equal(await loadClient('nats', 'x', async () => 'client'), 'client')
})
