import t from 'tap'
import { Group, topicOf } from '../../lib/cluster/group.js'
import type { Pid } from '../../types/pid.js'

const [one, two, three] = ['1@a.x', '2@a.x', '3@b.x'] as Pid[]

t.test('only what is new in a change is to be told', async (t) => {
  const group = new Group('room', 'fwr')
  t.strictSame(group.change([one, three], [two]), { group: 'room', joined: [one, three], left: [] })
  t.strictSame(group.change([one, two], [three]), { group: 'room', joined: [two], left: [three] })
  t.equal(group.change([one], [three]), undefined)
  t.strictSame(group.knownOf('@a.x'), [one, two])
  t.strictSame(group.knownOf('@b.x'), [])
})

t.test('a group is of use while it has a member here or a listener', async (t) => {
  const group = new Group('a.b', 'fwr')
  t.equal(group.topic, topicOf('a.b', 'fwr'))
  t.match(group.topic, /^fwr\.g\.[A-Za-z0-9_-]+$/)
  t.equal(group.isUsed, false)
  group.listeners.add(() => {})
  t.equal(group.isUsed, true)
  group.listeners.clear()
  group.members.set(one, { times: 1, watcher: { targetEnded () {} } })
  t.equal(group.isUsed, true)
})
