import t from 'tap'
import { frame } from '../fixtures/pair.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import {
  decodeMissed,
  isMissedByAll,
  MissedMessages
} from '../../../lib/cluster/link/missed-messages.js'

t.test('reports once how many messages each receiver missed, and which broadcasts', async (t) => {
  const missed = new MissedMessages()
  t.notOk(missed.hasAny)
  for (const receiver of [7, 3, 7]) missed.addReceiver(receiver)
  for (const except of ['', '', '5@a.1']) missed.addBroadcast('room', except)
  t.ok(missed.hasAny)
  t.equal(missed.size, 4)
  t.ok(missed.hasReceiver(7))
  t.notOk(missed.hasReceiver(5))
  const notices = missed.takeNotices().map(({ fields }) => frame(fields))
  t.strictSame(decodeMissed(notices[0]), new Map([[7, 2], [3, 1]]))
  t.match(notices.slice(1), [
    { type: frameTypes.missedBroadcast, text: 'room', ref: 2, body: Buffer.from('') },
    { type: frameTypes.missedBroadcast, text: 'room', ref: 1, body: Buffer.from('5@a.1') }
  ])
  t.notOk(missed.hasAny)
  t.strictSame(missed.takeNotices(), [])
})

t.test('records the same messages again when their notice is lost', async (t) => {
  const missed = new MissedMessages()
  missed.addReceiver(7)
  missed.addReceiver(7)
  missed.addBroadcast('room', '')
  const lost = missed.takeNotices()
  missed.addReceiver(7)
  for (const notice of lost) notice.recordLoss(missed)
  const [receivers, broadcast] = missed.takeNotices()
  t.strictSame(decodeMissed(frame(receivers.fields)), new Map([[7, 3]]))
  t.match(broadcast.fields, { ref: 1 })
})

t.test(
  'counts every connection as affected when there are too many receivers or broadcasts to remember',
  async (t) => {
    const many = new MissedMessages()
    for (let i = 1; i <= 256 * 1024; i++) many.addReceiver(i)
    t.notOk(many.hasReceiver(300_000))
    many.addReceiver(256 * 1024 + 1)
    t.ok(many.hasReceiver(300_000))
    many.addReceiver(1)
    many.addBroadcast('room', '')
    const [notice, ...others] = many.takeNotices()
    t.strictSame(others, [])
    t.ok(isMissedByAll(frame(notice.fields)))
    t.notOk(many.hasAny)
    notice.recordLoss(many)
    t.ok(many.hasReceiver(1))
    const broadcasts = new MissedMessages()
    for (let i = 0; i <= 4096; i++) broadcasts.addBroadcast(`room${i}`, '')
    t.equal(broadcasts.size, 0)
    t.ok(broadcasts.hasAny)
  }
)

t.test(
  'returns undefined when a notice has malformed lists, or lists of different lengths',
  async (t) => {
    for (const [ref, body] of [
      [1, [2]],
      [2, [2, 0, 2]],
      [1, [2, 2, 2]]
    ] as const) {
      const notice = frame({ type: frameTypes.missed, ref, body: Buffer.from(body) })
      t.notOk(isMissedByAll(notice))
      t.equal(decodeMissed(notice), undefined)
    }
  }
)
