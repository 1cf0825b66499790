import t from 'tap'
import { frame, Pair, receive } from '../fixtures/pair.js'
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
  const nodes = new Pair((hub) => new RemoteMonitors(hub, hub))
  const target = nodes.b.local.spawn()
  const who = watcher()
  nodes.a.unit.monitor(target, who)
  nodes.deliverAll()
  return { nodes, target, who }
}

t.test('reports an exit to its monitor once', async (t) => {
  const { nodes, target, who } = monitored()
  nodes.b.local.end(target, 'done')
  nodes.deliverAll()
  t.strictSame(who.exits, [{ pid: target, reason: 'done' }])
  nodes.resetChannel()
  t.equal(who.exits.length, 1)
  t.equal(nodes.size, 0)
})

t.test('reports noproc for a dead process', async (t) => {
  const { nodes } = monitored()
  const who = watcher()
  const dead = nodes.b.node.pid(99)
  nodes.a.unit.monitor(dead, who)
  t.strictSame(who.exits, [], 'not before its node has been asked')
  nodes.deliverAll()
  t.strictSame(who.exits, [{ pid: dead, reason: 'noproc' }])
})

t.test('reports an exit once to a listener that monitors twice', async (t) => {
  const { nodes, target, who } = monitored()
  nodes.a.unit.monitor(target, who)
  t.equal(nodes.a.peer.sent.length, 0)
  nodes.b.local.end(target, 'done')
  nodes.deliverAll()
  t.equal(who.exits.length, 1)
})

t.test('reports an exit to each monitor of a process', async (t) => {
  const { nodes, target, who } = monitored()
  const other = watcher()
  nodes.a.unit.monitor(target, other)
  nodes.deliverAll()
  nodes.b.local.end(target, 'done')
  nodes.deliverAll()
  t.strictSame([who, other].map(({ exits }) => exits.length), [1, 1])
})

t.test('reports the reason at once for a process on an unreachable node', async (t) => {
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

t.test('reports noconnection once when the channel resets', async (t) => {
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

t.test('reports noconnection when sending the monitor frame resets the channel', async (t) => {
  const { nodes, target } = monitored()
  nodes.a.peer.refuses = () => {
    nodes.a.unit.channelReset(nodes.a.peer)
    return true
  }
  const who = watcher()
  nodes.a.unit.monitor(target, who)
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
})

t.test('reports nothing after demonitor, even if an exit is in flight', async (t) => {
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

t.test('ends the monitoring on the remote node after demonitor', async (t) => {
  const { nodes, target, who } = monitored()
  t.strictSame(nodes.b.local.watched, [target])
  nodes.a.unit.demonitor(target, who)
  nodes.deliverAll()
  t.strictSame(nodes.b.local.watched, [])
})

t.test('treats a malformed exit frame as an exit with noconnection', async (t) => {
  const { nodes, target, who } = monitored()
  const [watch] = [frame({ type: frameTypes.down, ref: 1, text: 'done', kind: 9 })]
  t.equal(receive(nodes.a, watch), false)
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
})

t.test('notifies the other listeners when one of them throws', async (t) => {
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
  'does not notify a monitor that another listener removes during the notification',
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

t.test('does not handle frames of other types', async (t) => {
  const { nodes } = monitored()
  for (const type of [frameTypes.send, frameTypes.call, frameTypes.link, frameTypes.bind, 127]) {
    t.equal(receive(nodes.a, frame({ type })), undefined)
  }
})
