import t from 'tap'
import { Pauses } from '../../../lib/cluster/names/pauses.js'
import { testContext } from '../fixtures/context.js'
import { Calm, Machine, World } from '../simulation/world.js'

function setUp () {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  return {
    machine,
    pauses: new Pauses(testContext({ clock: machine })),
    run: (ms: number) => world.runUntil(world.now + ms, () => {})
  }
}

t.test('ends a pause after its time', async (t) => {
  const { pauses, machine, run } = setUp()
  const pause = pauses.start(500)
  t.equal(pauses.size, 1)
  await run(499)
  t.equal(machine.timers, 1)
  await run(1)
  await pause
  t.equal(pauses.size + machine.timers, 0)
})

t.test('rejects all pauses at once when the node leaves', async (t) => {
  const { pauses, machine } = setUp()
  const waiting = [pauses.start(500), pauses.start(1000)].map((pause) =>
    t.rejects(pause, { code: 'FST_CLUSTER_UNAVAILABLE' })
  )
  pauses.close()
  await Promise.all(waiting)
  t.equal(pauses.size + machine.timers, 0)
})
