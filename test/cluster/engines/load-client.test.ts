import t from 'tap'
import { loadClient } from '../../../lib/cluster/engines/load-client.js'

t.test('names the package when a client is not installed', async (t) => {
  const missing = 'no-such-client-of-an-engine'
  await t.rejects(
    loadClient('nats', missing, () => import(missing)),
    { code: 'FST_CLUSTER_CLIENT_MISSING', message: /'nats'.*'no-such-client-of-an-engine'/ }
  )
})

t.test('rethrows when a client fails to load for another reason', async (t) => {
  const broken = new Error('broken')
  await t.rejects(loadClient('nats', 'x', async () => { throw broken }), broken)
  t.equal(await loadClient('nats', 'x', async () => 'client'), 'client')
})
