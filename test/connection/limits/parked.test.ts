// Clients with a `limit` whose target fails, and limiters around each other.
import t from 'tap'
import { RateLimiter } from '../../../lib/connection/limits/rate-limiter.js'
import { House } from '../park/house.js'
import { Rig } from '../transports/clients.js'
import { MemoryTransport } from '../transports/memory-transport.js'

const size = { interval: 100, slack: 900 }

t.test('goes on at the successor of its target when the limit allows it', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport, connection } = house.guest('room', { limit: { messages: '2/s' } })
  await house.rig.settle()
  for (const text of ['a', 'b', 'c', 'd', 'e']) transport.send(text)
  await house.rig.settle()
  t.match(connection.describe(), { limited: true, paused: true })
  await house.crash(first)
  t.match(connection.describe(), { limited: true, paused: true, parked: true })
  await house.rig.advance(600)
  t.match(connection.describe(), { limited: false, paused: true, parked: true })
  const second = await house.room('room')
  t.strictSame(second.mail, ['ws.join+rejoined', 'ws.message c'])
  for (let i = 0; i < 12; i++) await house.rig.advance(100)
  t.strictSame(second.mail.slice(2), ['ws.message d', 'ws.message e'])
})

t.test('waits for the limit when the successor is there before', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport, connection } = house.guest('room', { limit: { messages: '2/s' } })
  await house.rig.settle()
  for (const text of ['a', 'b', 'c']) transport.send(text)
  await house.rig.settle()
  await house.crash(first)
  const second = await house.room('room')
  t.strictSame(second.mail, ['ws.join+rejoined'])
  t.match(connection.describe(), { limited: true, paused: true, parked: false })
  await house.rig.advance(600)
  t.strictSame(second.mail, ['ws.join+rejoined', 'ws.message c'])
})

t.test('gets a limit while it is parked', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport, connection } = house.guest('room')
  await house.rig.settle()
  await house.crash(first)
  house.processes.send(connection.pid, 'ws.control', { limit: { messages: '2/s' } })
  for (const text of ['a', 'b', 'c']) transport.send(text)
  const second = await house.room('room')
  t.strictSame(second.mail, ['ws.join+rejoined', 'ws.message a', 'ws.message b'])
  await house.rig.advance(600)
  t.equal(second.mail.at(-1), 'ws.message c')
})

t.test('gives its events to a transport that holds it', async (t) => {
  const { relay, clock } = new Rig()
  const transport = new MemoryTransport(clock, 50)
  const inner = new RateLimiter(relay, transport, { messages: size, bytes: undefined, over: 'pause' })
  t.equal(inner.writer, transport.writer)
  const seen: string[] = []
  const owner = (name: string) => new Proxy({}, {
    get: (_, event) => () => {
      seen.push(`${name} ${String(event)}`)
      return true
    }
  }) as Parameters<RateLimiter['open']>[0]
  inner.open(owner('first'))
  transport.send('a')
  const first = inner.redirect(owner('second'))
  transport.send('b')
  first.onTransportClose()
  t.strictSame(seen, ['first onMessage', 'second onMessage', 'first onTransportClose'])
})
