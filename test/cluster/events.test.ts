// The events about other nodes.
import t from 'tap'
import { frameTypes } from '../../lib/cluster/link/frame-types.js'
import { Peers } from '../../lib/cluster/membership/peers.js'
import { recordEvents } from '../events.js'
import { until } from '../helpers.js'
import { testContext } from './fixtures/context.js'
import { TestCluster } from './nodes.js'
import type { Test } from 'tap'

/** The other nodes of a node `a` that is alone in its cluster. */
function peersOf (t: Test) {
  const events = recordEvents(t, 'a', 'cluster')
  const context = testContext()
  const engineLink = { silenced: false, inboxTopic: (node: string) => node, publish: () => true }
  const peers = new Peers(context, engineLink, {
    handleFrame: () => true, peerReady () {}, peerDown () {}, channelReset () {}
  })
  const seen = (): unknown[] => events.splice(0).map((event) => ({ ...event, at: 0 }))
  return { peers, seen, context }
}

const common = { node: 'a', at: 0, peer: 'b' }

t.test('tells of a node that comes and goes, once each', async (t) => {
  const { peers, seen } = peersOf(t)
  peers.nodeUp('b', 5)
  t.strictSame(seen(), [
    { type: 'node', ...common, incarnation: 5, state: 'up', reason: undefined }
  ])
  peers.nodeDown('b', 5, 'it is silent')
  t.strictSame(seen(), [
    { type: 'node', ...common, incarnation: 5, state: 'down', reason: 'it is silent' }
  ], 'a channel that was not used is not torn')
})

t.test('tells of a channel that was in use and is reset', async (t) => {
  const { peers, seen, context } = peersOf(t)
  peers.nodeUp('b', 5)
  peers.ofNode('b')!.sendFrame({ type: frameTypes.send })
  seen()
  peers.ofNode('b')!.channel.reset('garbage came in')
  t.strictSame(seen(), [{ type: 'torn', ...common, reason: 'garbage came in' }])
  t.equal(context.counters.torn, 1)
  peers.ofNode('b')!.sendFrame({ type: frameTypes.send })
  peers.nodeDown('b', 5, 'it has left')
  t.strictSame(seen(), [
    { type: 'node', ...common, incarnation: 5, state: 'down', reason: 'it has left' },
    { type: 'torn', ...common, reason: 'it has left' }
  ], 'first the cause')
})

t.test('both nodes of a cluster tell of each other', async (t) => {
  const first = recordEvents(t, 'events-1', 'cluster')
  const second = recordEvents(t, 'events-2', 'cluster')
  const cluster = new TestCluster(t)
  const one = await cluster.node('events-1')
  const two = await cluster.node('events-2')
  t.match(first, [{ type: 'node', peer: 'events-2', state: 'up' }])
  t.match(second, [{ type: 'node', peer: 'events-1', state: 'up' }])
  const [{ incarnation }] = one.cluster!.nodes()
  await two.close()
  await until(() => one.cluster!.nodes()[0].state === 'down')
  const downs = first.filter(({ type }) => type === 'node')
  t.match(downs, [
    { state: 'up', incarnation }, { state: 'down', incarnation, reason: 'it has left' }
  ])
  t.match(second[1], { type: 'node', state: 'down', reason: 'this node leaves' })
})
