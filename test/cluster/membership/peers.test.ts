import t from 'tap'
import { TestClock } from '../fixtures/time.js'
import { testContext } from '../fixtures/context.js'
import { silentLogger } from '../../../lib/process/index.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { Peers } from '../../../lib/cluster/membership/peers.js'
import type { Pid } from '../../../types/pid.js'

function setUp () {
  const order: unknown[] = []
  const later: (() => void)[] = []
  const log =
    (level: string) =>
      (_data: unknown, text?: unknown): void => {
        order.push(`${level}: ${text}`)
      }
  const clock = Object.assign(new TestClock(), { later (run: () => void) { later.push(run) } })
  const logger = { ...silentLogger, info: log('info'), warn: log('warn') }
  const engineLink = {
    silenced: false,
    inboxTopic: (node: string) => `n.${node}`,
    publish (topic: string) {
      order.push(topic)
      return true
    }
  }
  const peers = new Peers(testContext({ clock, logger }), engineLink, {
    handleFrame: () => true,
    peerReady ({ node }) { order.push(`refresh ${node}`) },
    peerDown ({ node }) { order.push(`down ${node}`) },
    channelReset ({ node }) { order.push(`torn ${node}`) }
  })
  return { peers, clock, logger, engineLink, later, said: () => order.splice(0) }
}

t.test('reports a node as up, and accepts frames for its PIDs until it is down', async (t) => {
  const { peers, said } = setUp()
  const events: unknown[] = []
  const end = peers.addListener((node, state) => { events.push([node, state]) })
  t.equal(peers.ofPid('1@b.5' as Pid), undefined)
  peers.nodeUp('b', 5)
  const peer = peers.ofNode('b')!
  t.strictSame(said(), ['info: cluster: a node is up', 'refresh b'])
  t.equal(peers.ofPid('1@b.5' as Pid), peer)
  t.equal(peers.ofPid('1@b.6' as Pid), undefined, 'another incarnation')
  t.equal(peers.ofPid(`${2 ** 48}@b.5` as Pid), undefined, 'no process has that number')
  peers.nodeDown('b', 5, 'it is silent')
  t.equal(peers.ofPid('1@b.5' as Pid), undefined)
  t.strictSame(peers.upPeers, [])
  t.strictSame(said().slice(0, 2), ['warn: cluster: a node is down', 'down b'])
  t.strictSame(events, [['b', 'up'], ['b', 'down']])
  end()
  peers.nodeUp('b', 5)
  t.equal(peers.ofNode('b'), peer, 'it is the same again')
  t.equal(events.length, 2)
  peers.forgetNode('b')
  t.equal(peers.ofNode('b'), undefined)
})

t.test('does not log that other nodes are down while this node leaves', async (t) => {
  const { peers, engineLink, said } = setUp()
  peers.nodeUp('b', 5)
  said()
  engineLink.silenced = true
  peers.nodeDown('b', 5, 'this node leaves')
  t.notOk(said().some((line) => String(line).startsWith('warn')))
})

t.test('sends the frames of one turn at its end, in one batch for each node', async (t) => {
  const { peers, later, said } = setUp()
  peers.nodeUp('b', 5)
  peers.nodeUp('c', 5)
  said()
  for (const node of ['b', 'c', 'b']) t.ok(peers.ofNode(node)!.sendFrame({ type: frameTypes.send }))
  t.equal(later.length, 1)
  t.equal(peers.size, 2)
  t.equal(peers.unacknowledged, 3)
  t.strictSame(said(), [])
  later[0]()
  t.strictSame(said(), ['n.b', 'n.c'])
  t.equal(peers.size, 0)
  peers.clear()
  t.equal(peers.unacknowledged, 0)
})

t.test('refreshes the nodes that are up when the engine is back', async (t) => {
  const { peers, said } = setUp()
  peers.nodeUp('b', 5)
  peers.nodeUp('c', 5)
  peers.nodeDown('c', 5, 'it is silent')
  said()
  peers.engineReconnected()
  const lines = said()
  t.ok(lines.includes('refresh b'))
  t.notOk(lines.includes('refresh c'))
})

t.test(
  'counts messages to a node that is down, and reports them when it is up again',
  async (t) => {
    const { peers, later } = setUp()
    peers.nodeUp('b', 5)
    const { channel } = peers.ofNode('b')!
    peers.ofNode('b')!.sendFrame({ type: frameTypes.send })
    peers.nodeDown('b', 5, 'it is silent')
    t.equal(channel.size, 1, 'the frame that was under way')
    peers.recordUnreachable('2@b.5' as Pid)
    peers.recordUnreachable('2@b.6' as Pid)
    peers.recordUnreachable(`${2 ** 48}@b.5` as Pid)
    t.strictSame(peers.refusedByNode, { b: 1 })
    for (const task of later.splice(0)) task()
    t.ok(channel.missedMessages.hasAny, 'there is nobody to tell')
    t.equal(channel.unacknowledged, 0)
    peers.nodeUp('b', 5)
    for (const task of later.splice(0)) task()
    t.notOk(channel.missedMessages.hasAny)
    t.equal(channel.unacknowledged, 1)
  }
)

t.test('logs the number of refused messages once a second for each node', async (t) => {
  const { peers, logger, clock } = setUp()
  const lines: unknown[] = []
  logger.warn = (data: unknown, text?: unknown) => { lines.push([data, text]) }
  peers.nodeUp('b', 5)
  peers.nodeUp('c', 5)
  const now = clock.now()
  peers.tick(now)
  for (let i = 0; i < 3; i++) peers.ofNode('b')!.recordRefusal(1)
  peers.tick(now + 250)
  peers.ofNode('b')!.recordRefusal(1)
  peers.tick(now + 500)
  peers.tick(now + 1250)
  const line = (refused: number) => [
    { relayNode: 'b', refused, unacknowledged: 0 },
    'cluster: refused messages to a node that is too slow'
  ]
  t.strictSame(lines, [line(3), line(1)])
  t.strictSame(peers.refusedByNode, { b: 4, c: 0 })
})
