import t from 'tap'
import { look, openedView, Rig } from './look.js'

t.test('shows groups with their members, the largest first', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  const pids = Array.from({ length: 7 }, () => {
    return processes.spawn(async function member (self) { await self.serve({}) })
  })
  const sizes = { b: 7, a: 2, c: 2 }
  for (const [group, size] of Object.entries(sizes)) {
    for (const pid of pids.slice(0, size)) processes.groups.join(group, pid)
  }
  const answer = await look(rig, { view: 'groups' })
  t.match(answer, { total: 3, matched: 3 })
  const labelled = pids.map((pid) => ({ pid, label: 'member' }))
  t.strictSame(answer.rows, [
    { name: 'b', members: 7, first: labelled.slice(0, 5) },
    { name: 'c', members: 2, first: labelled.slice(0, 2) },
    { name: 'a', members: 2, first: labelled.slice(0, 2) }
  ])
  const names = async (request: object): Promise<string> => {
    const { rows } = await look(rig, { view: 'groups', ...request })
    return rows.map(({ name }) => name).join()
  }
  t.equal(await names({ sort: 'members' }), 'a,c,b')
  t.equal(await names({ sort: 'name' }), 'a,b,c')
  t.equal(await names({ sort: '-name', limit: 2 }), 'c,b')
  t.equal(await names({ filter: 'C' }), 'c')
})

t.test('leaves groups that appear meanwhile to the next answer', async (t) => {
  const rig = new Rig()
  const pid = rig.processes.spawn(async function member (self) { await self.serve({}) })
  for (let i = 0; i < 1200; i++) rig.processes.groups.join(`group ${i}`, pid)
  const asked = openedView(rig, { view: 'groups' }).next() as Promise<{ total: number }>
  rig.clock.yieldOnce()
  for (let i = 0; i < 1200; i++) rig.processes.groups.join(`new ${i}`, pid)
  await rig.settle()
  t.equal((await asked).total, 1200)
})
