import t from 'tap'
import { frame } from '../fixtures/pair.js'
import { types } from '../../../lib/cluster/link/frames.js'
import { Misses, receiversMissed } from '../../../lib/cluster/link/misses.js'

t.test('tells how many messages each receiver missed, and which broadcasts, once', async (t) => {
  const misses = new Misses()
  t.notOk(misses.any)
  for (const receiver of [7, 3, 7]) misses.add(receiver)
  for (const except of ['', '', '5@a.1']) misses.addBroadcast('room', except)
  t.ok(misses.any)
  t.equal(misses.size, 4)
  t.ok(misses.has(7))
  t.notOk(misses.has(5))
  const notices = misses.take().map(({ fields }) => frame(fields))
  t.strictSame(receiversMissed(notices[0]), new Map([[7, 2], [3, 1]]))
  t.match(notices.slice(1), [
    { type: types.missedBroadcast, text: 'room', ref: 2, body: Buffer.from('') },
    { type: types.missedBroadcast, text: 'room', ref: 1, body: Buffer.from('5@a.1') }
  ])
  t.notOk(misses.any)
  t.strictSame(misses.take(), [])
})

t.test('is told again of what a notice said that was lost', async (t) => {
  const misses = new Misses()
  misses.add(7)
  misses.add(7)
  misses.addBroadcast('room', '')
  const lost = misses.take()
  misses.add(7)
  for (const notice of lost) notice.lost(misses)
  const [receivers, broadcast] = misses.take()
  t.strictSame(receiversMissed(frame(receivers.fields)), new Map([[7, 3]]))
  t.match(broadcast.fields, { ref: 1 })
})

t.test('counts every connection as affected when there are too many receivers or broadcasts to remember', async (t) => {
  const many = new Misses()
  for (let i = 1; i <= 256 * 1024; i++) many.add(i)
  t.notOk(many.has(300_000))
  many.add(256 * 1024 + 1)
  t.ok(many.has(300_000))
  many.add(1)
  many.addBroadcast('room', '')
  const [notice, ...others] = many.take()
  t.strictSame(others, [])
  t.equal(receiversMissed(frame(notice.fields)), 'everyone')
  t.notOk(many.any)
  notice.lost(many)
  t.ok(many.has(1))
  const broadcasts = new Misses()
  for (let i = 0; i <= 4096; i++) broadcasts.addBroadcast(`room${i}`, '')
  t.equal(broadcasts.size, 0)
  t.ok(broadcasts.any)
})

t.test('takes no notice for one that has other counts than receivers, or no numbers', async (t) => {
  for (const [ref, body] of [[1, [2]], [2, [2, 0, 2]], [1, [2, 2, 2]]] as const) {
    t.equal(receiversMissed(frame({ type: types.missed, ref, body: Buffer.from(body) })), undefined)
  }
})
