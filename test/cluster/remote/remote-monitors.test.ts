import t from 'tap'
import { frame, Pair } from '../fixtures/pair.js'
import { watcher } from '../support.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { RemoteMonitors } from '../../../lib/cluster/remote/remote-monitors.js'
import type { Pid } from '../../../types/pid.js'

/** A process of `b` that is monitored from `a`. */
function monitored (): {
  nodes: Pair<RemoteMonitors>
  target: Pid
  who: ReturnType<typeof watcher>
} {
  const nodes = new Pair((hub) => new RemoteMonitors(hub))
  const target = nodes.b.local.spawn()
  const who = watcher()
  nodes.a.unit.monitor(target, who)
  nodes.deliverAll()
  return { nodes, target, who }
}

t.test('a monitor is told once of the end', async (t) => {
  const { nodes, target, who } = monitored()
  nodes.b.local.end(target, 'done')
  nodes.deliverAll()
  t.strictSame(who.exits, [{ pid: target, reason: 'done' }])
  nodes.resetChannel()
  t.equal(who.exits.length, 1)
  t.equal(nodes.size, 0)
})

t.test('a monitor of the dead is told noproc', async (t) => {
  const { nodes } = monitored()
  const who = watcher()
  const dead = nodes.b.node.pid(99)
  nodes.a.unit.monitor(dead, who)
  t.strictSame(who.exits, [], 'not before its node has been asked')
  nodes.deliverAll()
  t.strictSame(who.exits, [{ pid: dead, reason: 'noproc' }])
})

t.test('one who watches twice is told once', async (t) => {
  const { nodes, target, who } = monitored()
  nodes.a.unit.monitor(target, who)
  t.equal(nodes.a.peer.sent.length, 0)
  nodes.b.local.end(target, 'done')
  nodes.deliverAll()
  t.equal(who.exits.length, 1)
})

t.test('each of several monitors of one process is told', async (t) => {
  const { nodes, target, who } = monitored()
  const other = watcher()
  nodes.a.unit.monitor(target, other)
  nodes.deliverAll()
  nodes.b.local.end(target, 'done')
  nodes.deliverAll()
  t.strictSame([who, other].map(({ exits }) => exits.length), [1, 1])
})

t.test('a monitor of a process on a node that is out of reach is told why, at once', async (t) => {
  const { nodes, target } = monitored()
  nodes.disconnect()
  for (const why of ['noconnection', 'noproc']) {
    nodes.a.node.exitReason = why
    const who = watcher()
    nodes.a.unit.monitor(target, who)
    t.strictSame(who.exits, [{ pid: target, reason: why }])
  }
  t.equal(nodes.size, 0)
})

t.test('a monitor of a process on a lost node is told noconnection once', async (t) => {
  const { nodes, target, who } = monitored()
  nodes.resetChannel()
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
  nodes.resetChannel()
  nodes.b.local.end(target, 'done')
  nodes.deliverAll()
  t.equal(who.exits.length, 1)
  t.equal(nodes.size, 0)
  t.strictSame(nodes.b.local.watched, [], 'and nobody watches there any more')
})

t.test('a channel that breaks under the monitor itself is told to it', async (t) => {
  const { nodes, target } = monitored()
  nodes.a.peer.refuses = () => {
    nodes.a.unit.channelReset(nodes.a.peer)
    return true
  }
  const who = watcher()
  nodes.a.unit.monitor(target, who)
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
})

t.test('a monitor that was taken back is told nothing, whatever is under way', async (t) => {
  const { nodes, target, who } = monitored()
  nodes.b.local.end(target, 'done')
  nodes.a.unit.demonitor(target, who)
  nodes.a.unit.demonitor(target, who)
  t.equal(nodes.a.peer.sent.length, 1, 'it is taken back once')
  nodes.deliverAll()
  nodes.resetChannel()
  t.strictSame(who.exits, [])
  t.equal(nodes.size, 0)
})

t.test('the other node does not watch for what was taken back', async (t) => {
  const { nodes, target, who } = monitored()
  t.strictSame(nodes.b.local.watched, [target])
  nodes.a.unit.demonitor(target, who)
  nodes.deliverAll()
  t.strictSame(nodes.b.local.watched, [])
})

t.test('an exit that is garbage is one for noconnection: the end itself was said', async (t) => {
  const { nodes, target, who } = monitored()
  const [watch] = [frame({ type: frameTypes.down, ref: 1, text: 'done', kind: 9 })]
  t.equal(nodes.a.unit.receive(nodes.a.peer, watch), false)
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
})

t.test('one watcher that fails keeps no other from being told', async (t) => {
  const { nodes, target, who } = monitored()
  const thrown = new Error('no')
  const failing = { targetEnded () { throw thrown } }
  const last = watcher()
  nodes.a.unit.monitor(target, failing)
  nodes.a.unit.monitor(target, last)
  nodes.deliverAll()
  nodes.b.local.end(target, 'done')
  nodes.deliverAll()
  t.strictSame([who, last].map(({ exits }) => exits.length), [1, 1])
  nodes.a.unit.monitor(nodes.b.local.spawn(), failing)
  nodes.deliverAll()
  nodes.resetChannel()
  t.strictSame(nodes.a.node.failures, [thrown, thrown])
})

t.test(
  'a monitor that is taken back at the news of another is not told of the lost node',
  async (t) => {
    const { nodes, target, who } = monitored()
    nodes.a.unit.demonitor(target, who)
    nodes.a.unit.monitor(target, {
      targetEnded () {
        nodes.a.unit.demonitor(target, who)
      }
    })
    nodes.a.unit.monitor(target, who)
    nodes.deliverAll()
    nodes.resetChannel()
    t.strictSame(who.exits, [])
    nodes.deliverAll()
    t.equal(nodes.size, 0)
  }
)

t.test('frames of other kinds are for others', async (t) => {
  const { nodes } = monitored()
  for (const type of [frameTypes.send, frameTypes.call, frameTypes.link, frameTypes.bind, 127]) {
    t.equal(nodes.a.unit.receive(nodes.a.peer, frame({ type })), undefined)
  }
})
