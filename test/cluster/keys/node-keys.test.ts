// The places of keys: names of the cluster, the hash, and requests to other nodes.
import t from 'tap'
import { NodeKeys } from '../../../lib/cluster/keys/node-keys.js'
import { rendezvous } from '../../../lib/cluster/keys/rendezvous.js'
import { NodeNames } from '../../../lib/cluster/names/names.js'
import { testContext } from '../fixtures/context.js'
import { TestCluster } from '../support.js'
import type { Peer } from '../../../lib/cluster/membership/peer.js'
import type { Caller } from '../../../lib/cluster/remote/remote-calls.js'
import type { KeyNode } from '../../../lib/process/remote/key-directory.js'
import type { Pid } from '../../../types/pid.js'

const names = {} as NodeNames

interface Sent { readonly to: Pid, readonly payload: unknown, readonly call: Caller }

function keysOf (
  peers: Array<Partial<Peer>>, isReachable = true
): { keys: NodeKeys, sent: Sent[] } {
  const sent: Sent[] = []
  const upPeers = peers.map((peer) => {
    return { pid: (serial: number) => `${serial}@${peer.node}.1` as Pid, ...peer } as Peer
  })
  const keys = new NodeKeys(testContext(), names, { upPeers }, {
    send (to, _topic, payload, _from, call) {
      sent.push({ to, payload, call: call! })
      return isReachable
    }
  })
  return { keys, sent }
}

t.test('names the same node for a key on each node, and spreads keys evenly', async (t) => {
  const nodes = ['a', 'b', 'c', 'd']
  const counts = new Map<string, number>()
  const moved = { away: 0, between: 0 }
  for (let i = 0; i < 4000; i++) {
    const key = `@room/${i}`
    const node = rendezvous(key, nodes)
    t.equal(rendezvous(key, [...nodes].reverse()), node)
    counts.set(node, (counts.get(node) ?? 0) + 1)
    const without = rendezvous(key, ['a', 'b', 'c'])
    if (without !== node) moved[node === 'd' ? 'away' : 'between']++
  }
  for (const count of counts.values()) t.ok(count > 800 && count < 1200, String(count))
  t.equal(moved.between, 0, 'only the keys of the node that is gone have another one')
  t.equal(moved.away, counts.get('d'))
  t.equal(rendezvous('@room/a', ['a']), 'a')
})

t.test('computes the hash of all versions', async (t) => {
  const nodes = ['a', 'b', 'c']
  t.same(['lobby', '日本', ''].map((key) => rendezvous(`@room/${key}`, nodes)), ['b', 'c', 'b'])
})

t.test('spreads over nodes that are up, are not closing, and are fit', async (t) => {
  const keys = Array.from({ length: 60 }, (_, i) => `@room/${i}`)
  const places = (one: NodeKeys, unfit: KeyNode[] = []): unknown[] => {
    return [...new Set(keys.map((key) => one.spread(key, new Set(unfit))))].sort()
  }
  const { keys: three } = keysOf([{ node: 'b' }, { node: 'c' }])
  t.same(places(three), ['0@b.1', '0@c.1', undefined])
  t.same(places(three, ['0@b.1' as KeyNode]), ['0@c.1', undefined])
  const { keys: two } = keysOf([{ node: 'b', closing: true }, { node: 'c' }])
  t.same(places(two), ['0@c.1', undefined])
  t.equal(two.self, '0@a.1')
})

t.test('asks another node, and rejects when it is lost', async (t) => {
  const { keys, sent } = keysOf([{ node: 'b' }])
  const b = '0@b.1' as KeyNode
  const request = { do: 'start', address: '@room/a' } as const
  const asked = keys.request(b, request)
  t.match(sent, [{ to: b, payload: request }])
  sent[0].call.reply({ pid: '1@b.1' })
  t.same(await asked, { pid: '1@b.1' })
  const refused = keys.request(b, request)
  sent[1].call.reject(new Error('no'))
  await t.rejects(refused, /no/)
  const lost = keys.request(b, request)
  sent[2].call.targetEnded({ pid: b, reason: 'noconnection' })
  await t.rejects(lost, { code: 'FST_CLUSTER_UNAVAILABLE', statusCode: 503 })
  const { keys: alone } = keysOf([], false)
  await t.rejects(alone.request(b, request), { code: 'FST_CLUSTER_UNAVAILABLE' })
})

t.test('tells in the same turn that a process of another node takes no more mail', async (t) => {
  const { keys, sent } = keysOf([{ node: 'b' }])
  const pid = '7@b.1' as Pid
  let stopped = 0
  const watch = (): void => { keys.watch(pid, () => { stopped++ }) }
  watch()
  t.match(sent, [{ to: '0@b.1', payload: { do: 'watch', pid } }])
  t.equal(stopped, 0)
  sent[0].call.reply(undefined)
  t.equal(stopped, 1)
  watch()
  sent[1].call.targetEnded({ pid, reason: 'noconnection' })
  t.equal(stopped, 2, 'its node is lost')
  const { keys: alone } = keysOf([], false)
  alone.watch(pid, () => { stopped++ })
  t.equal(stopped, 3, 'its node cannot be reached')
})

t.test('makes one node the place of a key, until it gives it up', async (t) => {
  const cluster = new TestCluster()
  t.equal(cluster.make('c').cluster.keys, undefined, 'before it has started')
  const [a, b] = await cluster.start('a', 'b')
  const [here, there] = [a, b].map(({ cluster: node }) => node.keys!)
  t.equal(await cluster.settle(here.lookup('@room/x')), undefined)
  const claims = await cluster.settle(Promise.all([
    here.claim('@room/x'), there.claim('@room/x'), here.claim('@room/x')
  ]))
  const winner = claims[0] === undefined ? here : there
  const loser = winner === here ? there : here
  t.same(claims, [here, there, here].map((one) => one === winner ? undefined : winner.self))
  t.equal(await cluster.settle(loser.lookup('@room/x')), winner.self)
  t.equal(await cluster.settle(winner.claim('@room/x')), undefined, 'again')
  winner.release('@room/x')
  winner.release('@room/x')
  await cluster.run(1000)
  t.equal(await cluster.settle(loser.claim('@room/x')), undefined)
  await t.rejects(cluster.settle(a.cluster.names.register('@room/x', a.here.spawn())), {
    code: 'FST_PROCESS_INVALID_NAME'
  })
  loser.release('@room/x')
  await cluster.run(20_000)
  t.equal(a.cluster.size + b.cluster.size, 0)
})
