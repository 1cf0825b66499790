import t from 'tap'
import { TestClock } from '../fixtures/time.js'
import { testContext } from '../fixtures/context.js'
import { silentLogger } from '../../../lib/process/index.js'
import { Membership } from '../../../lib/cluster/membership/membership.js'
import { timings } from '../../../lib/cluster/timing.js'

const timing = timings.default
const period = timing.heartbeat / 4

/** Node `a` with incarnation 5, its reports, and the answers of the engine. */
class Scene {
  readonly clock = new TestClock()
  readonly events: unknown[][] = []
  readonly context = testContext({
    clock: this.clock,
    incarnation: 5,
    logger: { ...silentLogger, warn: (data, text) => { this.events.push([data, text]) } }
  })

  readonly counters = this.context.counters
  probed = 0
  /** The answer of the engine to a probe. */
  answer: () => Promise<boolean | undefined> = async () => undefined
  readonly engineLink = {
    probe: async () => {
      this.probed++
      return await this.answer()
    }
  }

  readonly membership = new Membership(this.context, this.engineLink, {
    nodeUp: (node, incarnation) => { this.events.push(['up', node, incarnation]) },
    nodeDown: (node, incarnation, why) => { this.events.push(['down', node, incarnation, why]) },
    nodeForgotten: (node) => { this.events.push(['forgotten', node]) },
    laterIncarnation: (incarnation) => { this.events.push(['name taken', incarnation]) }
  })

  constructor () {
    this.membership.begin(true)
    this.clock.jump(10_000)
    this.membership.tick(10_000)
  }

  /** Advances the time with the ticks of a node. */
  async pass (ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += period) {
      await this.clock.pass(period)
      this.membership.tick(period)
    }
    await this.clock.pass(0)
  }

  state (node: string): string | undefined {
    return this.membership.find(node)?.state
  }
}

t.test('marks a node as up when a batch arrives, and reports it once', async (t) => {
  const { membership, events, clock } = new Scene()
  t.equal(membership.find('b'), undefined)
  t.ok(membership.recordContact('b', 1))
  t.ok(membership.recordContact('b', 1))
  t.strictSame(events, [['up', 'b', 1]])
  t.strictSame(membership.nodes(), [{ node: 'b', incarnation: 1, state: 'up', since: clock.now() }])
  t.equal(membership.upCount, 1)
})

t.test('marks a node as down after 8 s of silence, and as up with the next batch', async (t) => {
  const scene = new Scene()
  scene.membership.recordContact('b', 1)
  await scene.pass(timing.down)
  t.equal(scene.state('b'), 'up')
  await scene.pass(period)
  t.strictSame(scene.events.slice(1), [['down', 'b', 1, 'it is silent']])
  t.equal(scene.membership.upCount, 0)
  t.equal(scene.membership.nodes()[0].since, scene.clock.now())
  t.ok(scene.membership.recordContact('b', 1))
  t.strictSame(scene.events.at(-1), ['up', 'b', 1])
})

t.test('keeps a node up when a batch arrives in time', async (t) => {
  const scene = new Scene()
  for (let i = 0; i < 20; i++) {
    scene.membership.recordContact('b', 1)
    await scene.pass(timing.heartbeat)
  }
  t.strictSame(scene.events, [['up', 'b', 1]])
})

t.test('waits one heartbeat more while the engine is down', async (t) => {
  const scene = new Scene()
  scene.membership.recordContact('b', 1)
  scene.membership.setConnected(false)
  await scene.pass(timing.down + timing.heartbeat)
  t.equal(scene.state('b'), 'up', 'its next heartbeat may have been due when the engine went away')
  await scene.pass(period)
  t.equal(scene.state('b'), 'down')
  t.equal(scene.probed, 0, 'and the engine is not asked')
})

t.test('marks no node as down just after the engine is back', async (t) => {
  const scene = new Scene()
  scene.membership.recordContact('b', 1)
  scene.membership.setConnected(false)
  await scene.pass(timing.down - period)
  scene.membership.setConnected(true)
  await scene.pass(timing.stall - period)
  t.equal(scene.state('b'), 'up')
  scene.membership.recordContact('b', 1)
  await scene.pass(timing.gone)
  t.equal(scene.state('b'), 'up')
})

t.test('forgets and ignores an incarnation when a later one appears', async (t) => {
  const { membership, events } = new Scene()
  membership.recordContact('b', 1)
  t.ok(membership.recordContact('b', 2))
  t.strictSame(events.slice(1), [
    ['down', 'b', 1, 'it has been started anew'],
    ['forgotten', 'b'],
    ['up', 'b', 2]
  ])
  t.notOk(membership.recordContact('b', 1))
  membership.nodeLeft('b', 1)
  t.match(membership.find('b'), { incarnation: 2, state: 'up' })
})

t.test('does not report a node as down twice when it restarts', async (t) => {
  const scene = new Scene()
  scene.membership.recordContact('b', 1)
  await scene.pass(timing.down + period)
  scene.membership.recordContact('b', 2)
  t.strictSame(scene.events.map(([what]) => what), ['up', 'down', 'forgotten', 'up'])
})

t.test('marks a node as down at its bye, and ignores later batches of it', async (t) => {
  const { membership, events } = new Scene()
  membership.nodeLeft('b', 1)
  t.strictSame(events, [], 'of one that was never heard of')
  membership.recordContact('b', 1)
  membership.nodeLeft('b', 1)
  t.strictSame(events.slice(1), [['down', 'b', 1, 'it has left']])
  t.notOk(membership.recordContact('b', 1))
  t.match(membership.find('b'), { state: 'down', hasLeft: true })
  t.ok(membership.recordContact('b', 2), 'but not of its next')
})

t.test('marks all others as down once when this node leaves', async (t) => {
  const { membership, events } = new Scene()
  membership.recordContact('b', 1)
  membership.recordContact('c', 2)
  membership.nodeLeft('c', 2)
  membership.markAllDown()
  membership.markAllDown()
  t.strictSame(events.slice(2), [
    ['down', 'c', 2, 'it has left'],
    ['down', 'b', 1, 'this node leaves']
  ])
  t.equal(membership.upCount, 0)
})

t.test('forgets a node one hour after it went down', async (t) => {
  const scene = new Scene()
  scene.membership.recordContact('b', 1)
  scene.membership.nodeLeft('b', 1)
  const hour = 60 * 60 * 1000
  scene.clock.jump(hour - 1)
  scene.membership.tick(hour)
  t.equal(scene.state('b'), 'down')
  scene.clock.jump(1)
  scene.membership.tick(period)
  t.equal(scene.state('b'), undefined)
  t.strictSame(scene.events.at(-1), ['forgotten', 'b'])
})

t.test('reports a later incarnation with its own name', async (t) => {
  const { membership, events } = new Scene()
  t.notOk(membership.recordContact('a', 5))
  t.notOk(membership.recordContact('a', 4))
  t.strictSame(events, [])
  t.notOk(membership.recordContact('a', 6))
  t.strictSame(events, [['name taken', 6]])
  t.strictSame(membership.nodes(), [])
})

t.test('marks no node as down after a stall before it has read the waiting batches', async (t) => {
  const scene = new Scene()
  scene.membership.recordContact('b', 1)
  scene.clock.jump(timing.down * 2)
  scene.membership.tick(period)
  t.strictSame(scene.events.slice(1), [
    [{ ms: timing.down * 2 - period }, 'cluster: the event loop stood still']
  ])
  t.equal(scene.counters.stalls, 1)
  await scene.pass(timing.stall - period)
  t.equal(scene.state('b'), 'up')
  await scene.pass(period)
  t.equal(scene.state('b'), 'down', 'and then as always')
})

t.test('does not take a slightly late tick for a stall', async (t) => {
  const scene = new Scene()
  scene.clock.jump(period + timing.stall)
  scene.membership.tick(period)
  t.equal(scene.counters.stalls, 0)
})

t.test('marks a node without a subscriber as down after 3 s of silence', async (t) => {
  const scene = new Scene()
  scene.answer = async () => false
  scene.membership.recordContact('b', 1)
  await scene.pass(timing.gone)
  t.equal(scene.probed, 0)
  await scene.pass(period)
  t.strictSame(scene.events.slice(1), [['down', 'b', 1, 'it has no connection to the engine']])
})

t.test('counts the 3 s from its own reconnect', async (t) => {
  const scene = new Scene()
  scene.answer = async () => false
  scene.membership.recordContact('b', 1)
  scene.membership.setConnected(false)
  await scene.pass(timing.gone)
  scene.membership.setConnected(true)
  await scene.pass(timing.gone)
  t.equal(scene.state('b'), 'up')
  await scene.pass(period)
  t.equal(scene.state('b'), 'down')
})

t.test('waits 8 s when the probe finds a subscriber, cannot tell or fails', async (t) => {
  for (const answer of [
    async () => true,
    async () => undefined,
    async () => {
      throw new Error('no')
    }
  ]) {
    const scene = new Scene()
    scene.answer = answer
    scene.membership.recordContact('b', 1)
    await scene.pass(timing.down)
    t.equal(scene.state('b'), 'up')
    t.ok(scene.probed > 1, 'and it is asked again')
    await scene.pass(period)
    t.strictSame(scene.events.at(-1), ['down', 'b', 1, 'it is silent'])
  }
})

t.test(
  'probes once at a time, and ignores the answer when a batch arrives meanwhile',
  async (t) => {
    const scene = new Scene()
    let answer = (subscribed: boolean): void => {
      t.fail(`not asked: ${subscribed}`)
    }
    scene.answer = () =>
      new Promise((resolve) => {
        answer = resolve
      })
    scene.membership.recordContact('b', 1)
    await scene.pass(timing.gone + 4 * period)
    t.equal(scene.probed, 1)
    scene.membership.recordContact('b', 1)
    answer(false)
    await scene.pass(period)
    t.equal(scene.state('b'), 'up')
    await scene.pass(timing.gone)
    t.equal(scene.probed, 2)
  }
)
