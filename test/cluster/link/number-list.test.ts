import fc from 'fast-check'
import t from 'tap'
import { decodeNumberList, NumberList } from '../../../lib/cluster/link/number-list.js'

function encoded (values: readonly number[]): Buffer {
  const list = new NumberList()
  for (const value of values) list.append(value)
  return list.bytes
}

t.test('decodes to the numbers that were appended, in order', async (t) => {
  const value = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 2 ** 48 - 1 }))
  fc.assert(fc.property(fc.array(value), (values) => {
    t.strictSame(decodeNumberList(encoded(values)), values)
  }))
  const extremes = [2 ** 48 - 1, 1, 2 ** 48 - 1]
  t.strictSame(decodeNumberList(encoded(extremes)), extremes)
})

t.test('takes one byte for each member of a room', async (t) => {
  const members = Array.from({ length: 200 }, (_, i) => 5000 + i)
  t.ok(encoded(members).length <= 201)
})

t.test(
  'returns undefined for truncated or oversized numbers, and for numbers out of range',
  async (t) => {
    const truncated = [[0x80], [2, 0x82]]
    const oversized = [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]
    const outOfRange = [[0], [2, 3], [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 2]]
    for (const bytes of [...truncated, ...oversized, ...outOfRange]) {
      t.equal(decodeNumberList(Buffer.from(bytes)), undefined, bytes.join())
    }
  }
)
