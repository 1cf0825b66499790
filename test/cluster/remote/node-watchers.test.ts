import t from 'tap'
import { NodeWatchers } from '../../../lib/cluster/remote/node-watchers.js'
import { buildRuntime, held, probe, settle } from '../../process/helpers.js'
import type { NodeListener } from '../../../lib/cluster/node.js'

function build () {
  const { runtime, processes } = buildRuntime()
  const listeners = new Set<NodeListener>()
  const node = {
    watchNodes (listener: NodeListener) {
      listeners.add(listener)
      return () => { listeners.delete(listener) }
    }
  }
  const tell: NodeListener = (name, state) => {
    for (const listener of listeners) listener(name, state)
  }
  return {
    runtime,
    processes,
    listeners,
    tell,
    watchers: new NodeWatchers(runtime.processTable, runtime.exitSignals, node)
  }
}

t.test('sends each change to each watcher once, until it stops watching', async t => {
  const { processes, tell, watchers, listeners } = build()
  const [one, two] = [probe(processes), probe(processes)]
  for (const { pid } of [one, one, two]) watchers.add(pid)
  t.equal(listeners.size, 1)
  tell('b', 'up')
  watchers.delete(two.pid)
  watchers.delete(two.pid)
  tell('b', 'down')
  await one.until(2)
  t.match(one.seen, [
    { topic: '@node', payload: { node: 'b', state: 'up' } },
    { topic: '@node', payload: { node: 'b', state: 'down' } }
  ])
  await settle()
  t.equal(two.seen.length, 1)
  watchers.delete(one.pid)
  t.equal(listeners.size, 0)
  for (const { pid } of [one, two]) processes.exit(pid)
})

t.test('removes a watcher when its process ends', async t => {
  const { runtime, processes, listeners, watchers } = build()
  const { pid } = probe(processes)
  watchers.add(pid)
  processes.exit(pid)
  t.equal(listeners.size, 0)
  t.strictSame(held(runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
})
