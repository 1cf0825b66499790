import t from 'tap'
import { TestClock } from '../fixtures/time.js'
import { registerContext, TestRegister } from '../fixtures/register.js'
import { claimIncarnation, recordIncarnation } from '../../../lib/cluster/membership/incarnation.js'
import { Register } from '../../../lib/cluster/register.js'

t.test('claims the wished incarnation, or one above the last if that is higher', async (t) => {
  const { register, store } = new TestRegister()
  t.equal(await claimIncarnation(register, 'a', 1000, () => true), 1000)
  t.equal(await claimIncarnation(register, 'a', 900, () => true), 1001, 'a clock that was set back')
  t.equal(await claimIncarnation(register, 'a', 5000, () => true), 5000)
  t.equal(await claimIncarnation(register, 'b', 10, () => true), 10, 'each node has its own')
  t.strictSame(store.read('incarnation.a'), { incarnation: 5000 })
})

t.test('gives two concurrent claims different incarnations', async (t) => {
  const { register } = new TestRegister()
  const claimed = await Promise.all(
    [1, 2, 3].map(() => claimIncarnation(register, 'a', 1000, () => true))
  )
  t.strictSame(claimed.sort(), [1000, 1001, 1002])
})

t.test('does not use an incarnation whose write has an unknown outcome', async (t) => {
  const { register, store, clock } = new TestRegister()
  store.failsAfter('cas')
  const claim = claimIncarnation(register, 'a', 1000, () => true)
  await clock.pass(1000)
  t.equal(await claim, 1001)
})

t.test('pauses before it asks a failing engine again', async (t) => {
  const clock = new TestClock()
  let asked = 0
  const away = async (): Promise<never> => { throw new Error(`away ${++asked}`) }
  const register = new Register(registerContext({ get: away, cas: away } as never, { clock }))
  // The limit ends the test if the requests never pause.
  const claim = claimIncarnation(register, 'a', 1000, () => asked < 1000)
  await clock.pass(1000)
  t.ok(asked >= 2 && asked <= 50, `asked ${asked} times in a second`)
  asked = 1000
  await clock.pass(1000)
  await claim
  t.equal(clock.pending, 0)
})

t.test('claims nothing when the incarnation is not wanted any more', async (t) => {
  const { register, store } = new TestRegister()
  t.equal(await claimIncarnation(register, 'a', 1000, () => false), 1000)
  t.equal(store.read('incarnation.a'), undefined)
})

t.test('records an incarnation that other nodes remember, when it is the highest', async (t) => {
  const { register, store } = new TestRegister()
  await recordIncarnation(register, 'a', 5000)
  t.strictSame(store.read('incarnation.a'), { incarnation: 5000 })
  await recordIncarnation(register, 'a', 4000)
  t.strictSame(store.read('incarnation.a'), { incarnation: 5000 }, 'the highest wins')
  await recordIncarnation(register, 'a', 6000)
  t.equal(await claimIncarnation(register, 'a', 1000, () => true), 6001)
})

t.test('keeps a higher incarnation when another node writes it at the same time', async (t) => {
  for (const [concurrent, expected] of [[7000, 7000], [2000, 5000]]) {
    const { register, store, clock } = new TestRegister()
    store.before('cas', () => { store.write('incarnation.a', { incarnation: concurrent }) })
    const recorded = recordIncarnation(register, 'a', 5000)
    await clock.pass(1000)
    await recorded
    t.strictSame(store.read('incarnation.a'), { incarnation: expected })
    t.equal(clock.pending, 0)
  }
})

t.test('gives up recording when the register fails, or after one request timeout', async (t) => {
  const { register, store, clock } = new TestRegister()
  store.away = true
  await recordIncarnation(register, 'a', 5000)
  t.equal(clock.pending, 0)
  store.away = false
  store.silent = true
  let done = false
  const recorded = recordIncarnation(register, 'a', 5000).then(() => { done = true })
  await clock.pass(1900)
  t.notOk(done)
  await clock.pass(200)
  t.ok(done)
  await recorded
  t.equal(clock.pending, 0)
})
