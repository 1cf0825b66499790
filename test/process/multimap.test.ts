import t from 'tap'
import { MultiMap } from '../../lib/process/multimap.js'

t.test('values of a key are kept once and in order', async (t) => {
  const map = new MultiMap<string, number>()
  for (const value of [2, 1, 2]) map.add('a', value)
  t.strictSame([...map.get('a')], [2, 1])
  t.strictSame([...map.get('b')], [])
})

t.test('a key without values takes no memory', async (t) => {
  const map = new MultiMap<string, number>()
  map.add('a', 1)
  map.add('a', 2)
  t.notOk(map.delete('b', 1))
  t.notOk(map.delete('a', 3))
  t.ok(map.delete('a', 1))
  t.equal(map.size, 1)
  t.ok(map.delete('a', 2))
  t.equal(map.size, 0)
})

t.test('what was taken is gone', async (t) => {
  const map = new MultiMap<string, number>()
  map.add('a', 1)
  t.strictSame([...map.take('a')], [1])
  t.strictSame([...map.take('a')], [])
  t.equal(map.size, 0)
})
