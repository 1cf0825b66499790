import t from 'tap'
import { loadClients } from '../../../lib/cluster/engines/load-clients.js'

const absent = (name: string) => () => import(name)

t.test('names all packages that are not installed, and how to install them', async (t) => {
  await t.rejects(
    loadClients('nats', {
      '@no-such/client': absent('@no-such/client'),
      tap: () => import('tap'),
      'no-such-client-of-an-engine': absent('no-such-client-of-an-engine')
    }),
    {
      code: 'FST_CLUSTER_CLIENT_MISSING',
      message: /'nats'.*: npm install @no-such\/client no-such-client-of-an-engine$/
    }
  )
})

t.test('rethrows when a client fails to load for another reason', async (t) => {
  const broken = new Error('broken')
  await t.rejects(loadClients('nats', { x: async () => { throw broken } }), broken)
  t.strictSame(await loadClients('nats', { x: async () => 'client' }), { x: 'client' })
})
