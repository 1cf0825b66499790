import t from 'tap'
import { buildPage } from './support.js'
import { look, Rig } from './views/look.js'
import type { Process } from '../../types/processes.js'

t.test('greets a page, and answers with the overview', async (t) => {
  const { app, page } = await buildPage(t)
  t.strictSame(await page.next('hello'), { version: 1, node: 'local', actions: [] })
  const { stats, recent, points, health, id, node, view } = await page.watch({ view: 'overview' })
  t.strictSame({ id, node, view }, { id: 'overview', node: 'local', view: 'overview' })
  t.equal(stats.connections.open, 1)
  t.equal(stats.aliveBy.process, app.processes.stats().aliveBy.process)
  t.strictSame({ recent, points, health }, { recent: [], points: [], health: { ready: true } })
})

t.test('counts the processes with keys, of all kinds together', async (t) => {
  const rig = new Rig()
  const none = { alive: 0, started: 0, crashed: 0, refused: 0 }
  t.strictSame((await look(rig, { view: 'overview' })).keyed, none)
  for (const kind of ['room', 'user']) {
    const keys = rig.processes.keyed(kind, {
      start: async (self: Process<{ fail: undefined, hello: undefined }>) => {
        await self.serve({ hello: () => {}, fail: () => { throw new Error('bad') } })
      }
    })
    for (const key of ['a', 'b']) rig.processes.send(keys.key(key), 'hello', undefined)
    await rig.settle()
    rig.processes.send(keys.key('a'), 'fail', undefined)
    await rig.settle()
  }
  t.match((await look(rig, { view: 'overview' })).keyed, { started: 4, crashed: 2, alive: 2 })
})
