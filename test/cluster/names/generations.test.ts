import t from 'tap'
import { registerContext, TestRegister } from '../fixtures/register.js'
import { TestClock } from '../fixtures/time.js'
import { Generations } from '../../../lib/cluster/names/generations.js'
import { Register } from '../../../lib/cluster/register.js'

function prepare (durable = false) {
  let last = 0
  const random = (): number => (last += 0.001)
  const { clock, store, context, register } = new TestRegister({ random })
  store.caps = { ...store.caps, durable }
  /** Another node. Its clock is `ahead` milliseconds ahead. */
  const node = (ahead: number): Generations & { readonly write: () => Promise<number> } => {
    const clock = new TestClock()
    clock.jump(ahead)
    const context = registerContext(store, { clock, random })
    const register = new Register(context)
    const generations = new Generations(context, register)
    return Object.assign(generations, {
      write: async () => await register.cas(`key ${++keys}`, {}, 0)
    })
  }
  return { store, clock, generations: new Generations(context, register), node }
}

let keys = 0

t.test(
  'creates a generation when there is none, without a grace period when the engine is durable',
  async (t) => {
    for (const durable of [true, false]) {
      const { generations, store, clock } = prepare(durable)
      const made = await generations.read()
      t.strictSame(made, { id: made.id, settled: durable, base: clock.now() })
      t.strictSame(await generations.read(), made)
      t.strictSame(store.read('generation'), made)
    }
  }
)

t.test('uses the generation that another node creates at the same time', async (t) => {
  const { generations, store } = prepare()
  const theirs = { id: 'theirs', settled: false, base: 5 }
  store.before('cas', () => { store.write('generation', theirs) })
  t.strictSame(await generations.read(), theirs)
})

t.test('asks whether the engine is durable when it has found the register empty', async (t) => {
  const { generations, store } = prepare(true)
  store.before('get', () => { store.caps = { ...store.caps, durable: false } })
  t.match(await generations.read(), { settled: false })
})

t.test('ends the grace period of the given generation only', async (t) => {
  const { generations, store } = prepare()
  const made = await generations.read()
  await generations.endGracePeriod('another')
  t.match(store.read('generation'), { settled: false })
  await generations.endGracePeriod(made.id)
  t.strictSame(store.read('generation'), { ...made, settled: true })
  store.clear()
  await generations.endGracePeriod(made.id)
  t.equal(store.read('generation'), undefined)
})

t.test(
  'starts a new generation above every known fence when the clock is 10 minutes behind',
  async (t) => {
    const { store, node } = prepare()
    const [ahead, behind] = [node(600_000), node(0)]
    const first = await ahead.read()
    t.strictSame(await behind.read(), first)
    const fence = first.base + (await behind.write())
    store.clear()
    const second = await behind.read()
    t.not(second.id, first.id)
    t.ok(second.base > fence, `${second.base} is above ${fence}`)
  }
)

t.test('raises the base in the grace period when the creator knew only lower fences', async (t) => {
  const { store, node } = prepare()
  const ahead = node(600_000)
  const first = await ahead.read()
  const fence = first.base + await ahead.write()
  store.clear()
  const fresh = node(0)
  const second = await fresh.read()
  t.ok(second.base < fence)
  const raised = await ahead.read()
  t.equal(raised.id, second.id)
  t.ok(raised.base > fence, `${raised.base} is above ${fence}`)
  t.strictSame(await fresh.read(), raised)
  await ahead.write()
  t.strictSame(await ahead.read(), raised, 'once')
})

t.test('does not change a generation after its grace period', async (t) => {
  const { store, node } = prepare()
  const ahead = node(600_000)
  await ahead.read()
  store.clear()
  const theirs = { id: 'theirs', settled: true, base: 5 }
  store.write('generation', theirs)
  t.strictSame(await ahead.read(), theirs)
})
