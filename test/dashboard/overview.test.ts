import t from 'tap'
import { buildPage } from './support.js'

t.test('greets a page, and answers with the overview', async (t) => {
  const { app, page } = await buildPage(t)
  t.strictSame(await page.next('hello'), { version: 1, node: 'local', actions: [] })
  const { stats, recent, points, health, id, node, view } = await page.watch({ view: 'overview' })
  t.strictSame({ id, node, view }, { id: 'overview', node: 'local', view: 'overview' })
  t.equal(stats.connections.open, 1)
  t.equal(stats.aliveBy.process, app.processes.stats().aliveBy.process)
  t.strictSame({ recent, points, health }, { recent: [], points: [], health: { ready: true } })
})
