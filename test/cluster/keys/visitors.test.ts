// Connections of one node to the process of a key on another one.
import t from 'tap'
import { deferred } from '../../process/helpers.js'
import { until } from '../../helpers.js'
import { connectTo } from '../../integration/connection/peer.js'
import { Town, upgrade } from './town.js'
import type { Test } from 'tap'
import type { KeyedOptions } from '../../../types/keyed.js'
import type { WsRelayOptions } from '../../../types/relay.js'

async function pair (t: Test, options?: KeyedOptions, server?: WsRelayOptions) {
  const town = new Town(t, options)
  const a = await town.serve('a', server)
  const b = await town.add('b')
  await town.sees(a.processes, 1)
  await town.sees(b.processes, 1)
  return { town, a, b }
}

t.test('connects clients to the process on another node', async (t) => {
  const { town, a, b } = await pair(t)
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
  const { town, a, b } = await pair(t, { maxRestarts: 0, period: '1m' })
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
  const { town, a } = await pair(t, {}, { upgradeTimeout: 500 })
  town.cluster.hub.stop()
  const response = await upgrade(t, a.rig, a.keyed.key('x'))
  t.match(response, /^HTTP\/1\.1 503 .*retry-after: \d+/is)
  town.cluster.hub.start()
})

t.test('keeps clients of a process that fails, and starts its successor', async (t) => {
  const { town, a, b } = await pair(t)
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
  const { town, a, b } = await pair(t, { maxRestarts: 0 })
  await b.keyed.get('x')
  const peer = await town.visit(a.rig, a.keyed.key('x'))
  peer.text('crash')
  t.same(await peer.end(), { code: 1011, reason: 'target process exited' })
})

t.test('asks again for a process whose start has failed', async (t) => {
  const { town, a, b } = await pair(t)
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
  const { town, a, b } = await pair(t, { park: '100ms' })
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

t.test('joins a client to the next process when one stops before it takes the join', async (t) => {
  const { town, a, b } = await pair(t)
  const busy = deferred()
  const { body } = town
  town.body = async (self, room) => {
    if (town.rooms.length > 1) return body(self, room)
    return await self.serve({
      slow: async () => {
        await busy.promise
        self.stop()
      }
    })
  }
  const pid = await b.keyed.get('x')
  b.processes.send(pid, 'slow')
  const peer = await connectTo(t, a.rig, { target_pid: a.keyed.key('x') })
  await until(() => b.processes.info(pid)!.mailbox === 1)
  busy.resolve()
  await until(() => town.mail[1] === 'ws.join')
  peer.text('hello')
  await until(() => town.mail[1] === 'ws.join,ws.message hello')
})

t.test('connects a client to the next process while the old one cleans up', async (t) => {
  const { town, a, b } = await pair(t)
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
