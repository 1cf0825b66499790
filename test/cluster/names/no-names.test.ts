import t from 'tap'
import { NoNames } from '../../../lib/cluster/names/no-names.js'

t.test('rejects each use when the engine has no register', async (t) => {
  const names = new NoNames('plain')
  for (const use of [names.register(), names.unregister(), names.lookup()]) {
    await t.rejects(use, { code: 'FST_CLUSTER_NO_REGISTRY', message: /'plain'/ })
  }
})

t.test('rejects each use before the start', async (t) => {
  const names = new NoNames()
  for (const use of [names.register(), names.unregister(), names.lookup()]) {
    await t.rejects(use, { code: 'FST_CLUSTER_UNAVAILABLE', message: /has not started/ })
  }
})

t.test('has nothing to release', async (t) => {
  const names = new NoNames()
  names.abandon()
  t.equal(names.size, 0)
  await names.close()
})
