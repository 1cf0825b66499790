import t from 'tap'
import {
  batchTypes,
  decodeNumber,
  decodeSource,
  encodeNumber,
  encodeSource
} from '../../../lib/cluster/link/codec.js'
import { Heartbeats } from '../../../lib/cluster/membership/heartbeats.js'
import { Calm, Machine, World } from '../simulation/world.js'
import { testContext } from '../fixtures/context.js'
import type { EngineLink } from '../../../lib/cluster/link/engine-link.js'
import type { Membership } from '../../../lib/cluster/membership/membership.js'

function setUp (random = 0) {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const context = testContext({ clock: machine, random: () => random })
  const stats = context.counters
  const said: (number | undefined)[] = []
  const events: unknown[] = []
  const known = { heard: true, state: 'up' as 'up' | 'down' | undefined, incarnation: 5 }
  const back: string[] = []
  const outdated: unknown[] = []
  const engineLink: Pick<EngineLink, 'publish' | 'heartbeatTopic' | 'inboxTopic'> = {
    heartbeatTopic: 'fwr.hb',
    inboxTopic: (node, incarnation) => `fwr.n.${node}.${incarnation}`,
    publish (topic, source, parts) {
      const number = decodeNumber(Buffer.concat(parts), 0)
      if (source.type === batchTypes.outdated) outdated.push([topic, number])
      else {
        t.match([topic, source], ['fwr.hb', { type: 2 }])
        said.push(number)
      }
      return true
    }
  }
  const membership: Pick<Membership, 'find' | 'nodeLeft' | 'recordContact'> = {
    find: () =>
      known.state && { incarnation: known.incarnation, state: known.state, hasLeft: false },
    nodeLeft (node, incarnation) {
      events.push(['bye', node, incarnation])
    },
    recordContact (node, incarnation) {
      events.push(['heard', node, incarnation])
      return known.heard
    }
  }
  const heartbeats = new Heartbeats(context, engineLink, membership, {
    nodeReturned: (node) => {
      back.push(node)
    }
  })
  const hear = (what: number, type = 2): void => {
    heartbeats.receiveHeartbeat(
      Buffer.concat([encodeSource({ type, node: 'b', incarnation: 5 }), encodeNumber(what)])
    )
  }
  return {
    machine,
    stats,
    said,
    events,
    known,
    back,
    outdated,
    heartbeats,
    hear,
    run: (ms: number) => world.runUntil(world.now + ms, () => {})
  }
}

t.test('sends a heartbeat every second, up to a tenth earlier, until it is stopped', async (t) => {
  const { heartbeats, said, machine, run } = setUp(0.5)
  heartbeats.stop()
  heartbeats.start()
  await run(949)
  t.strictSame(said, [])
  await run(1)
  t.strictSame(said, [0])
  await run(950 * 3)
  t.strictSame(said, [0, 0, 0, 0])
  heartbeats.stop()
  t.equal(machine.timers, 0)
})

t.test('answers a hello with a beat, unless the node is outdated', async (t) => {
  const { said, events, known, back, hear, run, heartbeats, machine } = setUp()
  hear(1)
  t.strictSame(said, [0])
  hear(0)
  known.heard = false
  hear(1)
  await run(200)
  t.strictSame(said, [0])
  t.strictSame(back, ['b'], 'it was up, and may have been cut off')
  t.strictSame(events, [['heard', 'b', 5], ['heard', 'b', 5], ['heard', 'b', 5]])
  known.heard = true
  for (const state of ['down', undefined] as const) {
    known.state = state
    hear(1)
  }
  t.strictSame(back, ['b'], 'who comes up is asked for that reason')
  heartbeats.stop()
  t.equal(machine.timers, 0)
})

t.test(
  'answers many hellos at once with two beats: one for the first, and one for the rest',
  async (t) => {
    const { said, hear, run, heartbeats, machine } = setUp()
    for (let i = 0; i < 50; i++) hear(1)
    t.strictSame(said, [0])
    await run(99)
    t.strictSame(said, [0])
    await run(1)
    t.strictSame(said, [0, 0])
    await run(1000)
    t.strictSame(said, [0, 0])
    hear(1)
    hear(1)
    t.strictSame(said, [0, 0, 0])
    heartbeats.stop()
    t.equal(machine.timers, 0)
  }
)

t.test('sends and receives hello and bye', async (t) => {
  const { heartbeats, said, events, hear } = setUp()
  heartbeats.sendHello()
  heartbeats.sendBye()
  t.strictSame(said, [1, 2])
  hear(2)
  t.strictSame(events, [['bye', 'b', 5]])
})

t.test('counts any other batch as garbage', async (t) => {
  const { heartbeats, stats, events, hear } = setUp()
  hear(0, 1)
  heartbeats.receiveHeartbeat(Buffer.from('x'))
  const cut = encodeSource({ type: 2, node: 'b', incarnation: 5 })
  t.ok(decodeSource(cut))
  heartbeats.receiveHeartbeat(cut)
  t.equal(stats.garbage, 3)
  t.strictSame(events, [])
})

t.test('tells an outdated node which later incarnation is known', async (t) => {
  const { hear, known, outdated, said } = setUp()
  known.heard = false
  known.incarnation = 7
  hear(0)
  t.strictSame(outdated, [['fwr.n.b.5', 7]])
  known.incarnation = 5
  hear(1)
  known.state = undefined
  hear(1)
  t.equal(outdated.length, 1, 'but not one that has left, or has the name of this node')
  t.strictSame(said, [])
})
