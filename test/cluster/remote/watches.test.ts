import t from 'tap'
import { TestHub, TestPeer } from '../fixtures/pair.js'
import { watcher } from '../support.js'
import { drop, entry, IncomingMonitors, Watches } from '../../../lib/cluster/remote/watches.js'
import type { Pid } from '../../../types/pid.js'

const [one, two] = ['1@b.1', '2@b.1'] as Pid[]

t.test('a watch is found by its target and watcher, and by its node and number', async (t) => {
  const watches = new Watches()
  const [b, c] = [new TestPeer('b'), new TestPeer('c')]
  const who = watcher()
  const watch = { peer: b, ref: 1, target: one, watcher: who }
  watches.add(watch)
  t.equal(watches.find(one, who), watch)
  t.equal(watches.at(b, 1), watch)
  t.strictSame(watches.of(b), [watch])
  t.equal(watches.find(two, who), undefined)
  t.equal(watches.find(one, watcher()), undefined)
  t.equal(watches.at(b, 2), undefined)
  t.equal(watches.at(c, 1), undefined)
  t.strictSame(watches.of(c), [])
})

t.test('a watch is taken once', async (t) => {
  const watches = new Watches()
  const peer = new TestPeer('b')
  const watch = { peer, ref: 1, target: one, watcher: watcher() }
  watches.add(watch)
  t.equal(watches.take(peer, 1), watch)
  t.equal(watches.take(peer, 1), undefined)
  watches.remove(watch)
  t.equal(watches.size, 0)
})

t.test('those of a node are listed as they are now, and those of others are not among them', async (t) => {
  const watches = new Watches()
  const [b, c] = [new TestPeer('b'), new TestPeer('c')]
  const who = watcher()
  watches.add({ peer: b, ref: 1, target: one, watcher: who })
  watches.add({ peer: b, ref: 2, target: one, watcher: watcher() })
  watches.add({ peer: b, ref: 3, target: two, watcher: who })
  watches.add({ peer: c, ref: 1, target: '1@c.1' as Pid, watcher: who })
  const listed = watches.of(b)
  for (const { peer, ref } of listed) watches.take(peer, ref)
  t.strictSame(listed.map(({ ref }) => ref), [1, 2, 3])
  t.strictSame(watches.of(b), [])
  t.ok(watches.take(c, 1))
  t.equal(watches.size, 0)
})

t.test('who watches here is told once of the end, and the record is gone by then', async (t) => {
  const hub = new TestHub('a')
  const peer = new TestPeer('b')
  const served = new IncomingMonitors(hub)
  const target = hub.here.spawn()
  const told: unknown[] = []
  served.add(peer, 1, target, ({ reason }) => { told.push(reason, served.has(peer, 1)) })
  t.ok(served.has(peer, 1))
  hub.here.end(target, 'done')
  t.strictSame(told, ['done', false])
  served.drop(peer, 1)
  t.equal(served.size, 0)
})

t.test('who watches the dead is told at once, and nothing is kept', async (t) => {
  const hub = new TestHub('a')
  const served = new IncomingMonitors(hub)
  const told: string[] = []
  served.add(new TestPeer('b'), 1, hub.pid(99), ({ reason }) => { told.push(reason) })
  t.strictSame(told, ['noproc'])
  t.equal(served.size, 0)
})

t.test('what is dropped is told nothing, and watches no more', async (t) => {
  const hub = new TestHub('a')
  const [b, c] = [new TestPeer('b'), new TestPeer('c')]
  const served = new IncomingMonitors(hub)
  const target = hub.here.spawn()
  const fail = (): void => { t.fail('it was dropped') }
  served.add(b, 1, target, fail)
  served.add(b, 2, target, fail)
  served.add(b, 3, target, fail)
  let told = 0
  served.add(c, 1, target, () => { told++ })
  served.drop(b, 1)
  t.equal(hub.here.watched.length, 3)
  served.dropAll(b)
  t.equal(hub.here.watched.length, 1)
  t.equal(served.size, 1)
  served.dropAll(b)
  hub.here.end(target, 'done')
  t.equal(told, 1, 'that of another node stays')
})

t.test('a number that is used again watches what it was used for last', async (t) => {
  const hub = new TestHub('a')
  const peer = new TestPeer('b')
  const served = new IncomingMonitors(hub)
  const [first, second] = [hub.here.spawn(), hub.here.spawn()]
  const told: string[] = []
  served.add(peer, 1, first, () => { told.push('first') })
  served.add(peer, 1, second, () => { told.push('second') })
  hub.here.end(first, 'done')
  hub.here.end(second, 'done')
  t.strictSame(told, ['second'])
})

t.test('a map of maps keeps no empty ones', async (t) => {
  const maps = new Map<string, Map<number, string>>()
  entry(maps, 'a').set(1, 'one').set(2, 'two')
  t.equal(entry(maps, 'a').size, 2)
  drop(maps, 'a', 3)
  drop(maps, 'b', 1)
  drop(maps, 'a', 1)
  t.equal(maps.size, 1)
  drop(maps, 'a', 2)
  t.equal(maps.size, 0)
})
