import t from 'tap'
import { frame } from '../fixtures/pair.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { MissedMessages, decodeMissed } from '../../../lib/cluster/link/missed-messages.js'

t.test('tells how many messages each receiver missed, and which broadcasts, once', async (t) => {
  const misses = new MissedMessages()
  t.notOk(misses.hasAny)
  for (const receiver of [7, 3, 7]) misses.addReceiver(receiver)
  for (const except of ['', '', '5@a.1']) misses.addBroadcast('room', except)
  t.ok(misses.hasAny)
  t.equal(misses.size, 4)
  t.ok(misses.hasReceiver(7))
  t.notOk(misses.hasReceiver(5))
  const notices = misses.takeNotices().map(({ fields }) => frame(fields))
  t.strictSame(decodeMissed(notices[0]), new Map([[7, 2], [3, 1]]))
  t.match(notices.slice(1), [
    { type: frameTypes.missedBroadcast, text: 'room', ref: 2, body: Buffer.from('') },
    { type: frameTypes.missedBroadcast, text: 'room', ref: 1, body: Buffer.from('5@a.1') }
  ])
  t.notOk(misses.hasAny)
  t.strictSame(misses.takeNotices(), [])
})

t.test('is told again of what a notice said that was lost', async (t) => {
  const misses = new MissedMessages()
  misses.addReceiver(7)
  misses.addReceiver(7)
  misses.addBroadcast('room', '')
  const lost = misses.takeNotices()
  misses.addReceiver(7)
  for (const notice of lost) notice.recordLoss(misses)
  const [receivers, broadcast] = misses.takeNotices()
  t.strictSame(decodeMissed(frame(receivers.fields)), new Map([[7, 3]]))
  t.match(broadcast.fields, { ref: 1 })
})

t.test('counts every connection as affected when there are too many receivers or broadcasts to remember', async (t) => {
  const many = new MissedMessages()
  for (let i = 1; i <= 256 * 1024; i++) many.addReceiver(i)
  t.notOk(many.hasReceiver(300_000))
  many.addReceiver(256 * 1024 + 1)
  t.ok(many.hasReceiver(300_000))
  many.addReceiver(1)
  many.addBroadcast('room', '')
  const [notice, ...others] = many.takeNotices()
  t.strictSame(others, [])
  t.equal(decodeMissed(frame(notice.fields)), 'everyone')
  t.notOk(many.hasAny)
  notice.recordLoss(many)
  t.ok(many.hasReceiver(1))
  const broadcasts = new MissedMessages()
  for (let i = 0; i <= 4096; i++) broadcasts.addBroadcast(`room${i}`, '')
  t.equal(broadcasts.size, 0)
  t.ok(broadcasts.hasAny)
})

t.test('takes no notice for one that has other counts than receivers, or no numbers', async (t) => {
  for (const [ref, body] of [[1, [2]], [2, [2, 0, 2]], [1, [2, 2, 2]]] as const) {
    t.equal(decodeMissed(frame({ type: frameTypes.missed, ref, body: Buffer.from(body) })), undefined)
  }
})
