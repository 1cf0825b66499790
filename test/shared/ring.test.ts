import t from 'tap'
import fc from 'fast-check'
import { Ring } from '../../lib/shared/ring.js'

t.test('behaves like an array', async (t) => {
  const operation = fc.oneof(
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('push' as const), value: fc.nat() }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('shift' as const), value: fc.nat() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), value: fc.nat() }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('clear' as const), value: fc.constant(0) })
    }
  )
  fc.assert(fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
    const ring = new Ring<number>()
    let model: number[] = []
    for (const { kind, value } of operations) {
      if (kind === 'push') {
        ring.enqueue(value)
        model.push(value)
      } else if (kind === 'shift') {
        if (ring.dequeue() !== model.shift()) return false
      } else if (kind === 'clear') {
        ring.clear()
        model = []
      } else if (model.length > 0) {
        const index = value % model.length
        if (ring.removeAt(index) !== model.splice(index, 1)[0]) return false
      }
      if (ring.length !== model.length || !model.every((item, i) => ring.at(i) === item)) {
        return false
      }
    }
    return true
  }), { numRuns: 500 })
  t.pass()
})
