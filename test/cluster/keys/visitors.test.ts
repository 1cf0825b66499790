// Connections of one node to the process of a key on another one.
import t from 'tap'
import { deferred } from '../../process/helpers.js'
import { until } from '../../helpers.js'
import { connectTo } from '../../integration/connection/peer.js'
import { serverAndNode, upgrade } from './town.js'
import type { Test } from 'tap'
import type { ConnectionInfo } from '../../../types/info.js'

t.test('connects clients to the process on another node', async (t) => {
  const { town, a, b } = await serverAndNode(t)
  await b.keyed.get('x')
  const peer = await town.visit(a.rig, a.keyed.key('x'))
  await town.visit(a.rig, a.keyed.key('x'))
  peer.text('hello')
  await until(() => town.rooms[0].mail.length === 3)
  t.same(town.mail, ['ws.join,ws.join,ws.message hello'])
  peer.close(1000)
  await until(() => town.rooms[0].mail.at(-1) === 'ws.leave')
})

t.test('waits for a start on another node, and refuses the upgrade when it fails', async (t) => {
  const { town, a, b } = await serverAndNode(t, { maxRestarts: 0, period: '1m' })
  const loading = deferred()
  town.body = async () => {
    await loading.promise
    throw new Error('unloadable')
  }
  const starting = b.keyed.get('x')
  const asked = upgrade(t, a.rig, a.keyed.key('x'))
  await until(() => a.rig.relay.handshakes.size === 1)
  loading.resolve()
  await t.rejects(starting, { message: 'unloadable' })
  const response = await asked
  t.match(response, /^HTTP\/1\.1 503 .*retry-after: \d+.*FST_WS_RELAY_TARGET_NOT_ALIVE/is)
  const refused = await upgrade(t, a.rig, a.keyed.key('x'))
  t.match(refused, /^HTTP\/1\.1 503 .*retry-after: \d+.*FST_WS_RELAY_TARGET_NOT_ALIVE/is)
})

t.test('refuses an upgrade when the engine cannot be reached', async (t) => {
  const { town, a } = await serverAndNode(t, {}, { upgradeTimeout: 500 })
  town.cluster.hub.stop()
  const response = await upgrade(t, a.rig, a.keyed.key('x'))
  t.match(response, /^HTTP\/1\.1 503 .*retry-after: \d+/is)
  town.cluster.hub.start()
})

t.test('keeps clients of a process that fails, and starts its successor', async (t) => {
  const { town, a, b } = await serverAndNode(t)
  await b.keyed.get('x')
  const peer = await town.visit(a.rig, a.keyed.key('x'))
  peer.text('crash')
  await until(() => town.rooms.length === 2 && town.rooms[1].mail.length > 0)
  peer.text('on')
  await until(() => town.rooms[1].mail.length > 1)
  t.same(town.mail, ['ws.join,ws.message crash', 'ws.join+rejoined,ws.message on'])
  t.same(town.rooms.map(({ node }) => node), ['b', 'b'])
  peer.close(1000)
  await until(() => town.rooms[1].mail.at(-1) === 'ws.leave')
})

t.test('closes parked clients when the key has failed too often', async (t) => {
  const { town, a, b } = await serverAndNode(t, { maxRestarts: 0 })
  await b.keyed.get('x')
  const peer = await town.visit(a.rig, a.keyed.key('x'))
  peer.text('crash')
  t.same(await peer.end(), { code: 1011, reason: 'target process exited' })
})

t.test('asks again for a process whose start has failed', async (t) => {
  const { town, a, b } = await serverAndNode(t)
  await b.keyed.get('x')
  const peer = await town.visit(a.rig, a.keyed.key('x'))
  const { body } = town
  let fails = 2
  town.body = (self, room) => {
    if (fails-- > 0) throw new Error('unloadable')
    return body(self, room)
  }
  peer.text('crash')
  await until(() => town.rooms.length === 4 && town.rooms[3].mail.length > 0)
  t.same(town.mail, ['ws.join,ws.message crash', '', '', 'ws.join+rejoined'])
})

t.test('closes a parked client when no successor has started in time', async (t) => {
  const { town, a, b } = await serverAndNode(t, { park: '100ms' })
  await b.keyed.get('x')
  const peer = await town.visit(a.rig, a.keyed.key('x'))
  const loading = deferred()
  const { body } = town
  town.body = async (self, room) => {
    await loading.promise
    await body(self, room)
  }
  peer.text('crash')
  t.same(await peer.end(), { code: 1011, reason: 'target process exited' })
  loading.resolve()
  await b.keyed.get('x')
  t.same(town.mail, ['ws.join,ws.message crash', ''])
})

/** The first process handles a message until `busy` resolves, and then it stops. */
async function busyTown (t: Test) {
  const nodes = await serverAndNode(t)
  const { town, a, b } = nodes
  const busy = deferred()
  const { body } = town
  town.body = async (self, room) => {
    if (town.rooms.length > 1) {
      await body(self, room)
      return
    }
    await self.serve({
      slow: async () => {
        await busy.promise
        self.stop()
      }
    })
    await town.cleanUp(self)
  }
  const pid = await b.keyed.get('x')
  b.processes.send(pid, 'slow')
  const peer = await connectTo(t, a.rig, { target_pid: a.keyed.key('x'), metadata: { of: 'ada' } })
  const hasMail = async (count: number): Promise<void> => {
    await until(() => b.processes.info(pid)!.mailbox === count)
  }
  await hasMail(1)
  return { ...nodes, peer, busy, hasMail }
}

t.test('joins a client to the next process when one stops before it takes the join', async (t) => {
  const { town, peer, busy, hasMail } = await busyTown(t)
  for (const text of ['one', 'two']) peer.text(text)
  await hasMail(3)
  busy.resolve()
  peer.text('three')
  await until(() => town.mail[1]?.endsWith('three'))
  peer.text('four')
  await until(() => town.mail[1].endsWith('four'))
  t.equal(town.mail[1], 'ws.join' + ['one', 'two', 'three', 'four'].map((text) => {
    return `,ws.message ${text}`
  }).join(''))
  t.strictSame(town.rooms[1].metadata, Array(5).fill({ of: 'ada' }))
})

t.test('keeps the messages of a late visitor while a process cleans up', async (t) => {
  const { town, a, b, peer, busy, hasMail } = await busyTown(t)
  const cleaning = deferred()
  town.cleanUp = () => cleaning.promise
  peer.text('one')
  await hasMail(2)
  busy.resolve()
  await until(() => b.keyed.peek('x') === undefined)
  peer.text('two')
  peer.text('three')
  const [connection] = a.processes.list()
  await until(() => (a.processes.info(connection) as ConnectionInfo).messages === 3)
  t.equal(town.rooms.length, 1, 'nobody has asked for the next one')
  cleaning.resolve()
  await until(() => town.mail[1]?.endsWith('three'))
  t.equal(town.mail[1], 'ws.join,ws.message one,ws.message two,ws.message three')
  t.equal(b.processes.stats().refusedBy.stopping, 0)
})

t.test('connects a client to the next process while the old one cleans up', async (t) => {
  const { town, a, b } = await serverAndNode(t)
  const cleaning = deferred()
  town.cleanUp = () => cleaning.promise
  const pid = await b.keyed.get('x')
  await town.visit(a.rig, a.keyed.key('x'))
  b.processes.send(pid, 'stop')
  await until(() => a.keyed.peek('x') === undefined)
  await town.visit(a.rig, a.keyed.key('x'))
  t.equal(b.processes.alive(pid), true)
  t.same(town.mail, ['ws.join,stop', 'ws.join'])
  cleaning.resolve()
})
