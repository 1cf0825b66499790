import t from 'tap'
import { GroupTable } from '../../../lib/process/registry/groups.js'
import type { Pid } from '../../../types/pid.js'

const [a, b, c] = ['1@local.a', '2@local.a', '3@local.a'] as Pid[]

function build (): { groups: GroupTable, updates: unknown[] } {
  const updates: unknown[] = []
  return {
    groups: new GroupTable((watcher, group, joined, left) => {
      updates.push([watcher, group, joined, left])
    }),
    updates
  }
}

t.test('needs as many leaves as joins', async (t) => {
  const { groups } = build()
  groups.join('g', a)
  groups.join('g', a)
  t.strictSame([...groups.members('g')], [a])
  t.ok(groups.leave('g', a))
  t.strictSame([...groups.members('g')], [a])
  t.ok(groups.leave('g', a))
  t.strictSame([...groups.members('g')], [])
  t.notOk(groups.leave('g', a))
  t.equal(groups.size, 0)
})

t.test('counts the joins of each group separately', async (t) => {
  const { groups } = build()
  for (const group of ['g', 'g', 'g', 'h', 'h']) groups.join(group, a)
  groups.join('g', b)
  t.ok(groups.leave('g', a))
  t.ok(groups.leave('h', a))
  t.ok(groups.leave('g', b))
  t.strictSame([...groups.members('g'), ...groups.members('h')], [a, a])
  t.ok(groups.leave('g', a))
  t.ok(groups.leave('h', a))
  t.strictSame([...groups.members('g'), ...groups.members('h')], [a])
  groups.join('g', a)
  groups.release(a)
  t.equal(groups.size, 0)
})

t.test('returns members in the order in which they joined', async (t) => {
  const { groups } = build()
  for (const pid of [c, a, b, a]) groups.join('g', pid)
  t.strictSame([...groups.members('g')], [c, a, b])
  t.notOk(groups.leave('other', a))
  t.strictSame(groups.list(), ['g'])
})

t.test('notifies a watcher of each change after its snapshot', async (t) => {
  const { groups, updates } = build()
  groups.join('g', a)
  t.strictSame(groups.watch('g', c), [a])
  groups.join('g', b)
  groups.join('g', b)
  groups.leave('g', b)
  groups.leave('g', b)
  t.strictSame(updates, [[c, 'g', [b], []], [c, 'g', [], [b]]])
  groups.unwatch('g', c)
  groups.leave('g', a)
  t.equal(updates.length, 2)
  t.equal(groups.size, 0)
})

t.test('releases a PID as a member and as a watcher', async (t) => {
  const { groups, updates } = build()
  groups.join('g', a)
  groups.join('g', a)
  groups.join('h', a)
  groups.watch('g', a)
  groups.watch('h', b)
  t.strictSame(groups.groupsOf(a), ['g', 'h'])
  groups.release(a)
  t.strictSame(updates, [[b, 'h', [], [a]]], 'itself is told nothing')
  groups.release(b)
  t.equal(groups.size, 0)
})

t.test('throws for a wrong group name', async (t) => {
  t.throws(() => build().groups.members('no\ngroup'), { code: 'FST_PROCESS_INVALID_NAME' })
})
