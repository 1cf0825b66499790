import t from 'tap'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'

t.test('no two kinds of frames have one number, and none is a number that may be skipped', async (t) => {
  const numbers = Object.values(frameTypes)
  t.equal(new Set(numbers).size, numbers.length)
  t.ok(numbers.every((type) => type > 0 && type < 0x80))
})
