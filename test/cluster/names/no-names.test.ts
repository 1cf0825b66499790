import t from 'tap'
import { NoNames } from '../../../lib/cluster/names/no-names.js'

t.test('without a register each use says that the engine has none', async (t) => {
  const names = new NoNames('plain')
  for (const use of [names.register(), names.unregister(), names.lookup()]) await t.rejects(use, { code: 'FST_CLUSTER_NO_REGISTRY', message: /'plain'/ })
})

t.test('before the start each use says that there was none', async (t) => {
  const names = new NoNames()
  for (const use of [names.register(), names.unregister(), names.lookup()]) await t.rejects(use, { code: 'FST_CLUSTER_UNAVAILABLE', message: /has not started/ })
})

t.test('it holds nothing, and has nothing to give back', async (t) => {
  const names = new NoNames()
  names.abandon()
  t.equal(names.size, 0)
  await names.close()
})
