import t from 'tap'
import fc from 'fast-check'
import { Top } from '../../../lib/dashboard/sampler/top.js'

t.test('keeps the same items as a sort of all of them', (t) => {
  const numbers = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 100 })
  fc.assert(fc.property(numbers, fc.integer({ min: 1, max: 20 }), (items, limit) => {
    const top = new Top<number>(limit, (one, other) => one < other)
    for (const item of items) top.offer(item)
    const expected = [...items].sort((one, other) => one - other).slice(0, limit)
    return JSON.stringify(top.inOrder()) === JSON.stringify(expected)
  }), { numRuns: 300 })
  t.end()
})
