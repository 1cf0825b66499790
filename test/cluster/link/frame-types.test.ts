import t from 'tap'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'

t.test('gives each type its own number, without the bit that marks skippable frames', async (t) => {
  const numbers = Object.values(frameTypes)
  t.equal(new Set(numbers).size, numbers.length)
  t.ok(numbers.every((type) => type > 0 && type < 0x80))
})
