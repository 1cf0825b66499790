import t from 'tap'
import { frame, Pair } from '../fixtures/pair.js'
import { watcher } from '../support.js'
import { types } from '../../../lib/cluster/link/frames.js'
import { RemoteMonitors } from '../../../lib/cluster/remote/remote-monitors.js'
import type { Pid } from '../../../types/pid.js'

/** A process of `b` that is monitored from `a`. */
function monitored (): { nodes: Pair<RemoteMonitors>, target: Pid, who: ReturnType<typeof watcher> } {
  const nodes = new Pair((hub) => new RemoteMonitors(hub))
  const target = nodes.b.here.spawn()
  const who = watcher()
  nodes.a.unit.watch(target, who)
  nodes.cross()
  return { nodes, target, who }
}

t.test('a monitor is told once of the end', async (t) => {
  const { nodes, target, who } = monitored()
  nodes.b.here.end(target, 'done')
  nodes.cross()
  t.strictSame(who.exits, [{ pid: target, reason: 'done' }])
  nodes.tear()
  t.equal(who.exits.length, 1)
  t.equal(nodes.size, 0)
})

t.test('a monitor of the dead is told noproc', async (t) => {
  const { nodes } = monitored()
  const who = watcher()
  const dead = nodes.b.hub.pid(99)
  nodes.a.unit.watch(dead, who)
  t.strictSame(who.exits, [], 'not before its node has been asked')
  nodes.cross()
  t.strictSame(who.exits, [{ pid: dead, reason: 'noproc' }])
})

t.test('one who watches twice is told once', async (t) => {
  const { nodes, target, who } = monitored()
  nodes.a.unit.watch(target, who)
  t.equal(nodes.a.peer.sent.length, 0)
  nodes.b.here.end(target, 'done')
  nodes.cross()
  t.equal(who.exits.length, 1)
})

t.test('each of several monitors of one process is told', async (t) => {
  const { nodes, target, who } = monitored()
  const other = watcher()
  nodes.a.unit.watch(target, other)
  nodes.cross()
  nodes.b.here.end(target, 'done')
  nodes.cross()
  t.strictSame([who, other].map(({ exits }) => exits.length), [1, 1])
})

t.test('a monitor of a process on a node that is out of reach is told why, at once', async (t) => {
  const { nodes, target } = monitored()
  nodes.part()
  for (const why of ['noconnection', 'noproc']) {
    nodes.a.hub.why = why
    const who = watcher()
    nodes.a.unit.watch(target, who)
    t.strictSame(who.exits, [{ pid: target, reason: why }])
  }
  t.equal(nodes.size, 0)
})

t.test('a monitor of a process on a lost node is told noconnection once', async (t) => {
  const { nodes, target, who } = monitored()
  nodes.tear()
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
  nodes.tear()
  nodes.b.here.end(target, 'done')
  nodes.cross()
  t.equal(who.exits.length, 1)
  t.equal(nodes.size, 0)
  t.strictSame(nodes.b.here.watched, [], 'and nobody watches there any more')
})

t.test('a channel that breaks under the monitor itself is told to it', async (t) => {
  const { nodes, target } = monitored()
  nodes.a.peer.refuses = () => {
    nodes.a.unit.torn(nodes.a.peer)
    return true
  }
  const who = watcher()
  nodes.a.unit.watch(target, who)
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
})

t.test('a monitor that was taken back is told nothing, whatever is under way', async (t) => {
  const { nodes, target, who } = monitored()
  nodes.b.here.end(target, 'done')
  nodes.a.unit.unwatch(target, who)
  nodes.a.unit.unwatch(target, who)
  t.equal(nodes.a.peer.sent.length, 1, 'it is taken back once')
  nodes.cross()
  nodes.tear()
  t.strictSame(who.exits, [])
  t.equal(nodes.size, 0)
})

t.test('the other node does not watch for what was taken back', async (t) => {
  const { nodes, target, who } = monitored()
  t.strictSame(nodes.b.here.watched, [target])
  nodes.a.unit.unwatch(target, who)
  nodes.cross()
  t.strictSame(nodes.b.here.watched, [])
})

t.test('an exit that is garbage is one for noconnection: the end itself was said', async (t) => {
  const { nodes, target, who } = monitored()
  const [watch] = [frame({ type: types.down, ref: 1, text: 'done', kind: 9 })]
  t.equal(nodes.a.unit.receive(nodes.a.peer, watch), false)
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
})

t.test('one watcher that fails keeps no other from being told', async (t) => {
  const { nodes, target, who } = monitored()
  const thrown = new Error('no')
  const failing = { targetEnded () { throw thrown } }
  const last = watcher()
  nodes.a.unit.watch(target, failing)
  nodes.a.unit.watch(target, last)
  nodes.cross()
  nodes.b.here.end(target, 'done')
  nodes.cross()
  t.strictSame([who, last].map(({ exits }) => exits.length), [1, 1])
  nodes.a.unit.watch(nodes.b.here.spawn(), failing)
  nodes.cross()
  nodes.tear()
  t.strictSame(nodes.a.hub.failures, [thrown, thrown])
})

t.test('a monitor that is taken back at the news of another is not told of the lost node', async (t) => {
  const { nodes, target, who } = monitored()
  nodes.a.unit.unwatch(target, who)
  nodes.a.unit.watch(target, { targetEnded () { nodes.a.unit.unwatch(target, who) } })
  nodes.a.unit.watch(target, who)
  nodes.cross()
  nodes.tear()
  t.strictSame(who.exits, [])
  nodes.cross()
  t.equal(nodes.size, 0)
})

t.test('frames of other kinds are for others', async (t) => {
  const { nodes } = monitored()
  for (const type of [types.send, types.call, types.link, types.bind, 127]) t.equal(nodes.a.unit.receive(nodes.a.peer, frame({ type })), undefined)
})
