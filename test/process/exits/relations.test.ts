import t from 'tap'
import { Relations } from '../../../lib/process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

const [a, b, c] = ['1@local.a', '2@local.a', '3@local.a'] as Pid[]
const watcher = { targetEnded (): void {} }

t.test('returns each monitor to one taker only', async (t) => {
  const relations = new Relations()
  relations.addMonitor(a, watcher)
  t.strictSame([...relations.takeMonitors(a)], [watcher])
  t.strictSame([...relations.takeMonitors(a)], [])
  relations.addMonitor(a, watcher)
  relations.removeMonitor(a, watcher)
  t.equal(relations.size, 0)
})

t.test('records a link for both processes', async (t) => {
  const relations = new Relations()
  relations.addLink(a, b)
  relations.addLink(b, a)
  relations.addLink(a, c)
  t.strictSame([...relations.linksOf(a)], [b, c])
  relations.removeLink(b, a)
  t.strictSame([...relations.linksOf(a)], [c])
  t.strictSame([...relations.takeLinks(c)], [a])
  t.equal(relations.size, 0)
})
