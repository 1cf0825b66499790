import t from 'tap'
import { passGap, Sampler } from '../../../lib/dashboard/sampler/sampler.js'
import { Rig } from '../../connection/transports/clients.js'
import { ticks } from '../../properties/clock.js'
import type { Entity } from '../../../lib/process/entity.js'

/** Counts the entities that it sees. */
class Count {
  visits = 0
  done = false

  visit (): void { this.visits++ }
}

function select (sampler: Sampler, query = new Count()): Count {
  sampler.select(query).then(() => { query.done = true }, () => {})
  return query
}

async function yieldOnce (rig: Rig): Promise<void> {
  rig.clock.yieldOnce()
  await ticks()
}

function build (processes: number): { rig: Rig, sampler: Sampler } {
  const rig = new Rig()
  const idle = async (): Promise<void> => { await new Promise(() => {}) }
  for (let i = 0; i < processes; i++) rig.processes.spawn(idle)
  rig.clock.run()
  return { rig, sampler: Sampler.of(rig.runtime) }
}

t.test('a node has one sampler', (t) => {
  const { rig, sampler } = build(0)
  t.equal(Sampler.of(rig.runtime), sampler)
  t.not(Sampler.of(new Rig().runtime), sampler)
  t.end()
})

t.test('queries share a pass, and later ones wait for the next', async (t) => {
  const { rig, sampler } = build(1500)
  const first = select(sampler)
  await yieldOnce(rig)
  const second = select(sampler)
  const third = select(sampler)
  await yieldOnce(rig)
  t.match([first, second], [{ visits: 1500, done: true }, { visits: 0, done: false }])
  t.equal(rig.clock.busy, false, 'passes do not follow one another at once')
  rig.clock.advance(499)
  t.equal(rig.clock.busy, false)
  rig.clock.advance(1)
  await yieldOnce(rig)
  await yieldOnce(rig)
  t.match([second, third], [{ visits: 1500, done: true }, { visits: 1500, done: true }])
  t.equal(rig.clock.runningTimers, 0)
  rig.clock.advance(passGap)
  const fourth = select(sampler)
  await yieldOnce(rig)
  t.equal(fourth.visits, 1000, 'after a while a pass starts at once')
})

t.test('a pass ends although processes start faster than it visits them', async (t) => {
  const { rig, sampler } = build(1500)
  class Spawning extends Count {
    override visit (): void {
      super.visit()
      rig.processes.spawn(async () => {})
    }
  }
  const query = select(sampler, new Spawning())
  await yieldOnce(rig)
  await yieldOnce(rig)
  t.match(query, { visits: 1500, done: true })
})

t.test('a query that throws fails with those of its pass', async (t) => {
  const { rig, sampler } = build(3)
  const failing = { visit (_entity: Entity) { throw new Error('bad') } }
  const rejected = t.rejects(sampler.select(failing), { message: 'bad' })
  await yieldOnce(rig)
  await rejected
  rig.clock.advance(passGap)
  const next = select(sampler)
  await yieldOnce(rig)
  t.match(next, { visits: 3, done: true })
})

t.test('does nothing more when the last viewer leaves', async (t) => {
  const { rig, sampler } = build(2500)
  const leave = [sampler.addViewer(), sampler.addViewer()]
  const first = select(sampler)
  await yieldOnce(rig)
  const second = select(sampler)
  leave[0]()
  await yieldOnce(rig)
  t.equal(first.visits, 2000, 'another one is there')
  leave[1]()
  t.equal(rig.clock.runningTimers, 0)
  rig.clock.yieldOnce()
  await ticks()
  t.match([first.visits, second.visits, rig.clock.busy], [2000, 0, false])

  // The next viewer starts anew, also when a pass would have been waited for.
  const again = sampler.addViewer()
  rig.clock.advance(passGap)
  const third = select(sampler)
  for (let i = 0; i < 3; i++) await yieldOnce(rig)
  t.match(third, { visits: 2500, done: true })
  select(sampler)
  again()
  t.equal(rig.clock.runningTimers, 0)
})
