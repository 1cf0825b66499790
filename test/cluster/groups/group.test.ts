import t from 'tap'
import { Group, groupTopic } from '../../../lib/cluster/groups/group.js'
import type { Pid } from '../../../types/pid.js'

const [one, two, three] = ['1@a.x', '2@a.x', '3@b.x'] as Pid[]

t.test('returns only the members that a change really adds or removes', async (t) => {
  const group = new Group('room', 'fwr')
  t.strictSame(group.applyChange([one, three], [two]), {
    group: 'room',
    joined: [one, three],
    left: []
  })
  t.strictSame(group.applyChange([one, two], [three]), {
    group: 'room',
    joined: [two],
    left: [three]
  })
  t.equal(group.applyChange([one], [three]), undefined)
  t.strictSame(group.membersOf('@a.x'), [one, two])
  t.strictSame(group.membersOf('@b.x'), [])
})

t.test('is used while it has a local member or a listener', async (t) => {
  const group = new Group('a.b', 'fwr')
  t.equal(group.topic, groupTopic('a.b', 'fwr'))
  t.match(group.topic, /^fwr\.g\.[A-Za-z0-9_-]+$/)
  t.equal(group.isUsed, false)
  group.listeners.set(() => {}, { notify: () => {}, isReady: false })
  t.equal(group.isUsed, true)
  group.listeners.clear()
  group.localMembers.set(one, { times: 1, exitListener: { targetEnded () {} } })
  t.equal(group.isUsed, true)
})

t.test('prefers updates that arrived during a query to the answer of the query', async (t) => {
  const group = new Group('room', 'fwr')
  const [left, late, here] = ['4@a.x', '5@a.x', '6@a.x'] as Pid[]
  group.applyChange([one, two, three], [])
  let answer!: (members: Pid[] | undefined) => void
  const asked = group.compareWithAnswer('@a.x', new Promise((resolve) => { answer = resolve }))
  group.recordUpdate(left, false)
  group.recordUpdate(late, true)
  group.applyChange([late], [])
  for (const isMember of [true, false, true]) group.recordUpdate(one, isMember)
  answer([left, here])
  t.strictSame(await asked, { joined: [here], left: [two] })
  t.equal(await group.compareWithAnswer('@a.x', Promise.resolve(undefined)), undefined)
  t.strictSame(
    await group.compareWithAnswer('@a.x', Promise.resolve([left])),
    { joined: [left], left: [one, two, late] },
    'what was heard before does not count'
  )
})
