import t from 'tap'
import { look, openedView, Rig } from './look.js'
import type { Process } from '../../../types/processes.js'

async function served (self: Process<{ fail: undefined }>): Promise<void> {
  await self.serve({ fail: () => { throw new Error('bad') } })
}

t.test('shows the tree of supervisors, with restarts and what is left of them', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  processes.supervise({
    name: 'top',
    strategy: 'rest_for_one',
    maxRestarts: 4,
    period: '1h',
    children: [
      { id: 'room', name: 'room', start: served },
      { id: 'shelf', start: { maxRestarts: 0, children: [{ id: 'deep', start: served }] } }
    ]
  })
  processes.supervise({ name: 'other', backoff: { initial: '1h', max: '1h' } })
    .startChild({ id: 'slow', name: 'slow', start: served })
  processes.send('room', 'fail')
  processes.send('slow', 'fail')
  await rig.settle()
  const { total, matched, rows } = await look(rig, { view: 'supervisors' })
  t.equal(total, 6)
  t.equal(matched, 6)
  const shown = rows.map(({ pid, uptime, restarted, ...row }) => {
    t.equal(typeof pid, row.id === 'slow' ? 'undefined' : 'string')
    t.equal(typeof uptime, row.id === 'slow' ? 'undefined' : 'number')
    t.equal(typeof restarted, row.restarts > 0 ? 'number' : 'undefined')
    return row
  })
  const child = { kind: 'process', label: 'served', restarts: 1 }
  t.strictSame(shown, [
    {
      depth: 0,
      label: 'top',
      name: 'top',
      kind: 'supervisor',
      restarts: 0,
      supervisor: {
        strategy: 'rest_for_one', children: 2, maxRestarts: 4, period: 3_600_000, left: 3
      }
    },
    { depth: 1, id: 'room', name: 'room', ...child },
    {
      depth: 1,
      id: 'shelf',
      label: 'supervisor',
      kind: 'supervisor',
      restarts: 1,
      supervisor: { strategy: 'one_for_one', children: 1, maxRestarts: 0, period: 5000, left: 0 }
    },
    { depth: 2, id: 'deep', ...child, restarts: 0 },
    {
      depth: 0,
      label: 'other',
      name: 'other',
      kind: 'supervisor',
      restarts: 0,
      supervisor: { strategy: 'one_for_one', children: 1, maxRestarts: 3, period: 5000, left: 2 }
    },
    { depth: 1, id: 'slow', name: 'slow', kind: 'process', restarts: 0 }
  ])
})

t.test('shows the supervisors above the rows that a filter finds', async (t) => {
  const rig = new Rig()
  const { processes } = rig
  const shelf = (id: string) => ({
    id, start: { children: [{ id: `${id} 1`, start: served }, { id: `${id} 2`, start: served }] }
  })
  processes.supervise({ name: 'top', children: [shelf('a'), shelf('b')] })
  const ids = async (request: object): Promise<string> => {
    const { rows, matched, total } = await look(rig, { view: 'supervisors', ...request })
    t.equal(total, 7)
    return `${matched}: ${rows.map(({ id, name }) => id ?? name).join()}`
  }
  t.equal(await ids({ filter: 'B 2' }), '1: top,b,b 2')
  t.equal(await ids({ filter: ' 1' }), '2: top,a,a 1,b,b 1')
  t.equal(await ids({ filter: ' 1', limit: 4 }), '2: top,a,a 1,b')
  t.equal(await ids({ filter: ' 1', limit: 2 }), '2: top,a')
  t.equal(await ids({ limit: 3 }), '7: top,a,a 1')
})

t.test('leaves supervisors that start meanwhile to the next answer', async (t) => {
  const rig = new Rig()
  const start = (): void => { for (let i = 0; i < 1200; i++) rig.processes.supervise({}) }
  start()
  const asked = openedView(rig, { view: 'supervisors' }).next() as Promise<{ total: number }>
  rig.clock.yieldOnce()
  start()
  await rig.settle()
  t.equal((await asked).total, 1200)
})
