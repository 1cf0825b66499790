import t from 'tap'
import { Sampler } from '../../../lib/dashboard/sampler/sampler.js'
import { MemoryTransport } from '../../connection/transports/memory-transport.js'
import { look, nextOf, openedView, Rig } from '../views/look.js'

t.test('records a point each second while somebody watches', async (t) => {
  const rig = new Rig()
  const sampler = Sampler.of(rig.runtime)
  const pid = rig.target()
  await rig.settle()
  rig.clock.advance(10_000)
  t.strictSame(sampler.history.since(0), [], 'nobody watches')

  const leave = sampler.addViewer()
  const transport = new MemoryTransport(rig.clock, 50)
  rig.connect(pid, transport)
  for (let i = 0; i < 3; i++) rig.processes.send(pid.pid, 'x')
  rig.processes.send('nobody', 'x')
  transport.send('hello')
  await rig.settle()
  rig.clock.advance(1000)
  const [point, ...others] = sampler.history.since(0)
  t.strictSame(others, [])
  const { at, turns, busy, delay, maxDelay, rss, ...counts } = point
  t.ok(Math.abs(at - Date.now()) < 60_000)
  t.ok(turns > 0 && busy >= 0 && busy <= 1)
  t.ok(delay >= 0 && maxDelay >= delay)
  t.ok(rss > 1e6)
  t.strictSame(counts, {
    open: 1,
    suspended: 0,
    paused: 0,
    parked: 0,
    processes: 1,
    messagesIn: 1,
    messagesOut: 0,
    sent: 5,
    refused: 0,
    deadLetters: 1,
    refusedUpgrades: 0
  })
  rig.clock.advance(2000)
  t.equal(sampler.history.since(0).length, 3)
  t.match(sampler.history.since(0)[2], { sent: 0, deadLetters: 0, open: 1 })
  leave()
  rig.clock.advance(5000)
  t.equal(sampler.history.since(0).length, 3)
  t.equal(rig.clock.runningTimers, 0)
})

t.test('the overview has all points first, and then the new ones', async (t) => {
  const rig = new Rig()
  const leave = Sampler.of(rig.runtime).addViewer()
  t.teardown(leave)
  const { now } = Date
  let passed = 0
  t.teardown(() => { Date.now = now })
  Date.now = () => 1_000_000 + passed
  const pass = (ms: number): void => {
    for (let i = 0; i < ms; i += 1000) {
      passed += 1000
      rig.clock.advance(1000)
    }
  }
  pass(2000)
  const view = openedView(rig, { view: 'overview' })
  const times = async (): Promise<number[]> => {
    return (await nextOf<'overview'>(rig, view)).points.map(({ at }) => at - 1_000_000)
  }
  t.strictSame(await times(), [1000, 2000])
  t.strictSame(await times(), [])
  pass(1000)
  t.strictSame(await times(), [3000])
  pass(400_000)
  const { points } = await look(rig, { view: 'overview' })
  t.equal(points.length, 300, 'five minutes are kept')
  t.equal(points[0].at, 1_000_000 + passed - 299_000)
})
