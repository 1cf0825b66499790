import t from 'tap'
import { TestRegister } from './fixtures/register.js'
import { encodeKey } from '../../lib/cluster/register.js'

t.test('reads a value as it was written, with the prefix of the cluster', async (t) => {
  const { register, store, clock } = new TestRegister()
  t.equal(await register.get('x'), undefined)
  const revision = await register.cas('x', { a: [1] }, 0)
  t.ok(revision > 0)
  t.strictSame(await register.get('x'), { value: { a: [1] }, revision })
  t.match(await store.get('test.x'), { revision })
  t.equal(clock.pending, 0, 'and no timer is left')
})

t.test('writes or deletes a value only when the revision is current', async (t) => {
  const { register } = new TestRegister()
  const first = await register.cas('x', { by: 1 }, 0)
  t.equal(await register.cas('x', { by: 2 }, 0), 0)
  const second = await register.cas('x', { by: 3 }, first)
  t.equal(await register.cas('x', undefined, first), 0)
  t.match(await register.get('x'), { value: { by: 3 } })
  t.not(await register.cas('x', undefined, second), 0)
  t.equal(await register.get('x'), undefined)
})

t.test('reads an empty record when the value is not a JSON object', async (t) => {
  const { register, store } = new TestRegister()
  for (const garbage of ['', 'no JSON', '5', 'null', '"text"']) {
    store.write('x', garbage)
    t.strictSame((await register.get('x'))?.value, {}, garbage)
  }
})

t.test(
  'rejects after the request timeout when the engine is silent, and at once when it fails',
  async (t) => {
    const { register, store, clock } = new TestRegister()
    store.silent = true
    const asked = [() => register.get('x'), () => register.cas('x', {}, 0)].map((request) =>
      t.rejects(Promise.resolve<unknown>(request()), { message: 'The engine does not answer' })
    )
    await clock.pass(1999)
    t.equal(clock.pending, 2)
    await clock.pass(1)
    await Promise.all(asked)
    store.away = true
    await t.rejects(register.get('x'), { message: 'The connection broke' })
    t.equal(clock.pending, 0)
  }
)

t.test('pauses for a twentieth of the request timeout before a retry', async (t) => {
  const { register, clock } = new TestRegister()
  let rested = false
  const rest = register.pauseBeforeRetry().then(() => { rested = true })
  await clock.pass(99)
  t.notOk(rested)
  await clock.pass(1)
  t.ok(rested)
  await rest
})

t.test('encodes every name as a unique key that all engines accept', async (t) => {
  const names = ['a', 'A', 'room/ü', 'room.1', 'room 1', '*', '>', '']
  const keys = names.map(encodeKey)
  t.equal(new Set(keys).size, names.length)
  for (const key of keys) t.match(key, /^[-_a-zA-Z0-9]*$/)
})
