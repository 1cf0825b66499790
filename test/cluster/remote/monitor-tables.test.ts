import t from 'tap'
import { TestNode, TestPeer } from '../fixtures/pair.js'
import { watcher } from '../support.js'
import { deleteInner, innerMap } from '../../../lib/cluster/nested-maps.js'
import { IncomingMonitors, OutgoingMonitors } from '../../../lib/cluster/remote/monitor-tables.js'
import type { Pid } from '../../../types/pid.js'

const [one, two] = ['1@b.1', '2@b.1'] as Pid[]

t.test('finds a monitor by its target and listener, and by its node and reference', async (t) => {
  const watches = new OutgoingMonitors()
  const [b, c] = [new TestPeer('b'), new TestPeer('c')]
  const who = watcher()
  const watch = { peer: b, ref: 1, target: one, listener: who }
  watches.add(watch)
  t.equal(watches.find(one, who), watch)
  t.equal(watches.findByRef(b, 1), watch)
  t.strictSame(watches.allOf(b), [watch])
  t.equal(watches.find(two, who), undefined)
  t.equal(watches.find(one, watcher()), undefined)
  t.equal(watches.findByRef(b, 2), undefined)
  t.equal(watches.findByRef(c, 1), undefined)
  t.strictSame(watches.allOf(c), [])
})

t.test('removes a monitor once', async (t) => {
  const watches = new OutgoingMonitors()
  const peer = new TestPeer('b')
  const watch = { peer, ref: 1, target: one, listener: watcher() }
  watches.add(watch)
  t.equal(watches.removeByRef(peer, 1), watch)
  t.equal(watches.removeByRef(peer, 1), undefined)
  watches.remove(watch)
  t.equal(watches.size, 0)
})

t.test('lists the monitors of one node in a snapshot, without those of other nodes', async (t) => {
  const watches = new OutgoingMonitors()
  const [b, c] = [new TestPeer('b'), new TestPeer('c')]
  const who = watcher()
  watches.add({ peer: b, ref: 1, target: one, listener: who })
  watches.add({ peer: b, ref: 2, target: one, listener: watcher() })
  watches.add({ peer: b, ref: 3, target: two, listener: who })
  watches.add({ peer: c, ref: 1, target: '1@c.1' as Pid, listener: who })
  const listed = watches.allOf(b)
  for (const { peer, ref } of listed) watches.removeByRef(peer, ref)
  t.strictSame(
    listed.map(({ ref }) => ref),
    [1, 2, 3]
  )
  t.strictSame(watches.allOf(b), [])
  t.ok(watches.removeByRef(c, 1))
  t.equal(watches.size, 0)
})

t.test('notifies an incoming monitor once, after its entry was removed', async (t) => {
  const hub = new TestNode('a')
  const peer = new TestPeer('b')
  const served = new IncomingMonitors(hub.local)
  const target = hub.local.spawn()
  const notified: unknown[] = []
  served.add(peer, 1, target, ({ reason }) => { notified.push(reason, served.has(peer, 1)) })
  t.ok(served.has(peer, 1))
  hub.local.end(target, 'done')
  t.strictSame(notified, ['done', false])
  served.remove(peer, 1)
  t.equal(served.size, 0)
})

t.test('answers noproc at once for a dead process, and keeps no entry', async (t) => {
  const hub = new TestNode('a')
  const served = new IncomingMonitors(hub.local)
  const notified: string[] = []
  served.add(new TestPeer('b'), 1, hub.pid(99), ({ reason }) => { notified.push(reason) })
  t.strictSame(notified, ['noproc'])
  t.equal(served.size, 0)
})

t.test('does not notify removed monitors, and ends their local monitoring', async (t) => {
  const hub = new TestNode('a')
  const [b, c] = [new TestPeer('b'), new TestPeer('c')]
  const served = new IncomingMonitors(hub.local)
  const target = hub.local.spawn()
  const fail = (): void => { t.fail('it was dropped') }
  served.add(b, 1, target, fail)
  served.add(b, 2, target, fail)
  served.add(b, 3, target, fail)
  let notified = 0
  served.add(c, 1, target, () => { notified++ })
  served.remove(b, 1)
  t.equal(hub.local.watched.length, 3)
  served.removeAll(b)
  t.equal(hub.local.watched.length, 1)
  t.equal(served.size, 1)
  served.removeAll(b)
  hub.local.end(target, 'done')
  t.equal(notified, 1, 'that of another node stays')
})

t.test('a reference that is used again belongs to the latest target', async (t) => {
  const hub = new TestNode('a')
  const peer = new TestPeer('b')
  const served = new IncomingMonitors(hub.local)
  const [first, second] = [hub.local.spawn(), hub.local.spawn()]
  const notified: string[] = []
  served.add(peer, 1, first, () => { notified.push('first') })
  served.add(peer, 1, second, () => { notified.push('second') })
  hub.local.end(first, 'done')
  hub.local.end(second, 'done')
  t.strictSame(notified, ['second'])
})

t.test('deleteInner removes an inner map with its last entry', async (t) => {
  const maps = new Map<string, Map<number, string>>()
  innerMap(maps, 'a').set(1, 'one').set(2, 'two')
  t.equal(innerMap(maps, 'a').size, 2)
  deleteInner(maps, 'a', 3)
  deleteInner(maps, 'b', 1)
  deleteInner(maps, 'a', 1)
  t.equal(maps.size, 1)
  deleteInner(maps, 'a', 2)
  t.equal(maps.size, 0)
})
