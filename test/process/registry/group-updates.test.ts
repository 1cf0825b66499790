import t from 'tap'
import { GroupUpdates } from '../../../lib/process/registry/group-updates.js'
import type { Pid } from '../../../types/pid.js'

const [a, b, c] = ['1@local.a', '2@local.a', '3@local.a'] as Pid[]

t.test('merges changes into the last queued message of their group', async (t) => {
  const updates = new GroupUpdates()
  const waiting = { group: 'g', joined: [a], left: [b] }
  updates.addUpdate(waiting)
  t.ok(updates.mergeUpdate({ group: 'g', joined: [c], left: [] }))
  t.ok(updates.mergeUpdate({ group: 'g', joined: [], left: [a] }), 'came and went: no change')
  t.ok(updates.mergeUpdate({ group: 'g', joined: [b], left: [] }), 'went and came: no change')
  t.strictSame(waiting, { group: 'g', joined: [c], left: [] })
  t.notOk(updates.mergeUpdate({ group: 'h', joined: [a], left: [] }))
})

t.test('does not merge into a message that has left the mailbox', async (t) => {
  const updates = new GroupUpdates()
  const older = { group: 'g', joined: [a], left: [] }
  const newer = { group: 'g', joined: [b], left: [] }
  updates.addUpdate(older)
  updates.addUpdate(newer)
  updates.removeUpdate(older)
  t.ok(updates.mergeUpdate({ group: 'g', joined: [c], left: [] }))
  t.strictSame(newer.joined, [b, c])
  updates.removeUpdate(newer)
  t.notOk(updates.mergeUpdate({ group: 'g', joined: [c], left: [] }))
})
