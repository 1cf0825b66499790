import t from 'tap'
import fc from 'fast-check'
import { MultiMap } from '../../lib/shared/multimap.js'

t.test('keeps each value of a key once, in order', async (t) => {
  const map = new MultiMap<string, number>()
  for (const value of [2, 1, 2]) map.add('a', value)
  t.strictSame([...map.get('a')], [2, 1])
  t.strictSame([...map.get('b')], [])
})

t.test('keeps no key without values', async (t) => {
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

t.test('behaves like a map of sets', async (t) => {
  const operation = fc.record({
    kind: fc.constantFrom('add', 'add', 'delete', 'take'),
    key: fc.nat(2),
    value: fc.nat(3)
  })
  fc.assert(fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
    const map = new MultiMap<number, number>()
    const model = new Map<number, Set<number>>()
    for (const { kind, key, value } of operations) {
      const values = model.get(key) ?? new Set<number>()
      if (kind === 'take') {
        if ([...map.takeAll(key)].join() !== [...values].join()) return false
        values.clear()
      } else if (
        kind === 'add'
          ? map.add(key, value) === values.has(value)
          : map.delete(key, value) !== values.has(value)
      ) { return false } else if (kind === 'add') values.add(value)
      else values.delete(value)
      if (values.size === 0) model.delete(key)
      else model.set(key, values)
      if (map.size !== model.size || [...map.get(key)].join() !== [...values].join()) return false
      if (new Set([...map.keys(), ...model.keys()]).size !== map.size) return false
    }
    return true
  }), { numRuns: 500 })
  t.pass()
})

t.test('counts the values of a key', async (t) => {
  const map = new MultiMap<string, number>()
  t.equal(map.countOf('a'), 0)
  map.add('a', 1)
  t.equal(map.countOf('a'), 1)
  map.add('a', 2)
  t.equal(map.countOf('a'), 2)
})

t.test('removes the values that takeAll returns', async (t) => {
  const map = new MultiMap<string, number>()
  map.add('a', 1)
  t.strictSame([...map.takeAll('a')], [1])
  t.strictSame([...map.takeAll('a')], [])
  t.equal(map.size, 0)
})

t.test('returns the first value of a key', async (t) => {
  const map = new MultiMap<string, number>()
  t.equal(map.first('a'), undefined)
  map.add('b', 5)
  t.equal(map.first('a'), undefined)
  map.add('a', 2)
  t.equal(map.first('a'), 2)
  map.add('a', 1)
  t.equal(map.first('a'), 2)
  map.delete('a', 2)
  t.equal(map.first('a'), 1)
})
