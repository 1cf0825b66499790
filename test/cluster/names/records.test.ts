import t from 'tap'
import { nameKey } from '../../../lib/cluster/names/records.js'

t.test('gives different names different keys, of characters that any engine accepts', async (t) => {
  const names = ['leader', 'Leader', 'a.b', 'a:b', 'a-b', 'a_b', 'name.a', '0']
  const keys = names.map(nameKey)
  t.equal(new Set(keys).size, names.length)
  for (const key of keys) t.match(key, /^name\.[A-Za-z0-9_=-]+$/)
})
