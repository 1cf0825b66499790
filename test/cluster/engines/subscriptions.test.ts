import { once } from 'node:events'
import t from 'tap'
import { Subscriptions } from '../../../lib/cluster/engines/subscriptions.js'

const bytes = Buffer.from('x')

t.test(
  'delivers nothing before a topic is confirmed, and nothing while the engine is down',
  async (t) => {
    const subscriptions = new Subscriptions()
    let heard = 0
    const confirmed = subscriptions.add('x', () => {
      heard++
    })
    subscriptions.deliver('x', bytes)
    t.strictSame(subscriptions.someUnconfirmed(9), ['x'])
    subscriptions.confirm('x')
    subscriptions.confirm('not wanted')
    await confirmed
    t.strictSame(subscriptions.someUnconfirmed(9), [])
    subscriptions.deliver('x', bytes)
    subscriptions.markUnconfirmed()
    subscriptions.deliver('x', bytes)
    t.equal(heard, 1)
    t.strictSame(subscriptions.someUnconfirmed(9), ['x'])
  }
)

t.test('returns some of the unconfirmed topics, the oldest first', async (t) => {
  const subscriptions = new Subscriptions()
  const confirmed = ['x', 'y', 'z'].map((topic) => subscriptions.add(topic, () => {}))
  t.strictSame(subscriptions.someUnconfirmed(2), ['x', 'y'])
  for (const topic of subscriptions.someUnconfirmed(2)) subscriptions.confirm(topic)
  t.strictSame(subscriptions.someUnconfirmed(2), ['z'])
  subscriptions.confirm('z')
  await Promise.all(confirmed)
})

t.test('rejects a refused topic once, and keeps one that was confirmed before', async (t) => {
  const subscriptions = new Subscriptions()
  const refused = t.rejects(subscriptions.add('x', () => {}), { message: 'no' })
  t.equal(subscriptions.refuse('x', new Error('no')), true)
  await refused
  t.strictSame(subscriptions.someUnconfirmed(9), [])
  const confirmed = subscriptions.add('y', () => {})
  subscriptions.confirm('y')
  await confirmed
  t.equal(subscriptions.refuse('y', new Error('no')), false)
  t.strictSame(subscriptions.topics(), ['y'])
})

t.test('replaces the first listener by the second', async (t) => {
  const subscriptions = new Subscriptions()
  const replaced = t.rejects(
    subscriptions.add('x', () => {
      t.fail('the first')
    }),
    { message: /another listener/ }
  )
  let heard = 0
  const confirmed = subscriptions.add('x', () => { heard++ })
  await replaced
  subscriptions.confirm('x')
  await confirmed
  subscriptions.deliver('x', bytes)
  t.equal(heard, 1)
})

t.test('does not throw to the caller when a listener throws', async (t) => {
  const subscriptions = new Subscriptions()
  const confirmed = subscriptions.add('x', () => { throw new Error('of the listener') })
  subscriptions.confirm('x')
  await confirmed
  const others = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  t.teardown(() => { for (const other of others) process.on('uncaughtException', other) })
  const uncaught = once(process, 'uncaughtException')
  subscriptions.deliver('x', bytes)
  t.match(await uncaught, [{ message: 'of the listener' }])
})
