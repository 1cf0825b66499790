// Clients with a `limit` that lose their socket and come back.
import t from 'tap'
import { ModelSession } from './model-session.js'

t.test('finds no fresh bucket on another socket', async (t) => {
  const session = new ModelSession({ limit: { messages: '10/s' } })
  await session.settle()
  for (let i = 0; i < 100; i++) session.send(String(i))
  await session.settle()
  t.equal(session.received.length, 10)
  t.match(session.describe(), { limited: true, paused: true })
  const start = session.rig.clock.time
  for (let i = 0; i < 20; i++) {
    await session.blip(50)
    const seconds = (session.rig.clock.time - start) / 1000
    // A session reads one message on each socket, which the client has to wait for later.
    t.ok(session.received.length <= 10 + 10 * seconds + i + 1)
  }
  while (session.received.length < 100 && session.rig.clock.time < start + 20_000) {
    await session.advance(50)
  }
  t.strictSame(session.received, Array.from({ length: 100 }, (_, i) => String(i)))
  t.ok(session.rig.clock.time - start >= 9000)
})

t.test('goes on when the time is over while the client is away', async (t) => {
  const session = new ModelSession({ limit: { messages: '10/s', burst: 0.1 } })
  await session.settle()
  for (const text of ['a', 'b', 'c']) session.send(text)
  await session.settle()
  t.strictSame(session.received, ['a'])
  await session.lose()
  t.match(session.describe(), { connected: false, limited: true })
  await session.advance(10_000)
  await session.comeBack()
  t.match(session.describe(), { connected: true })
  for (let i = 0; i < 6; i++) await session.advance(50)
  t.strictSame(session.received, ['a', 'b', 'c'])
  t.match(session.describe(), { limited: false, paused: false })
})

t.test('is closed on another socket too when it sends too fast', async (t) => {
  const session = new ModelSession({ limit: { messages: '1/m', burst: 120, over: 'close' } })
  await session.settle()
  session.send('a')
  await session.blip(1000)
  session.send('b')
  await session.blip(1000)
  t.equal(session.isOpen, true)
  session.send('c')
  await session.settle()
  t.strictSame(session.received, ['a', 'b'])
  t.equal(session.isOpen, false)
})

t.test('gets a limit by ws.control, and acknowledgements as before', async (t) => {
  const session = new ModelSession({})
  await session.settle()
  const { rig, pid } = session
  t.ok(rig.processes.send(pid, 'ws.control', { limit: { messages: '10/s', burst: 0.1 } }))
  session.send('a')
  session.send('b')
  await session.settle()
  t.strictSame(session.received, ['a'])
  const answer = rig.processes.call(pid, 'ws.send', { data: 'x', ack: true })
  for (let i = 0; i < 8; i++) await session.advance(50)
  session.acknowledge()
  await session.settle()
  t.equal(await answer, undefined)
  t.strictSame(session.received, ['a', 'b'])
  await session.blip(100)
  t.equal(rig.processes.send(pid, 'ws.send', { data: 'y' }), true)
})

t.test('counts controls as bytes, and closes a client that sends too many', async (t) => {
  const session = new ModelSession({ limit: { bytes: '1B/s', burst: 30, over: 'close' } })
  await session.settle()
  let sent = 0
  while (session.isOpen && sent < 100) {
    session.acknowledge()
    await session.settle()
    sent++
  }
  // One has three bytes: 00, a letter and a digit. The client has acknowledged the hello as well.
  t.equal(sent, 10)
  t.equal(session.rig.relay.counters.limited, 1)
})

t.test('drops the controls of a client that it closes', async (t) => {
  const session = new ModelSession({ limit: { bytes: '1B/m', over: 'close' } })
  await session.settle()
  for (let i = 0; i < 5; i++) session.acknowledge()
  await session.settle()
  t.equal(session.isOpen, false)
  t.equal(session.rig.relay.counters.limited, 1)
})

/** A client whose controls have used up its bytes before it sent `a`. */
async function fullOfControls (): Promise<ModelSession> {
  const session = new ModelSession({ limit: { bytes: '10B/s', burst: 3 } })
  await session.settle()
  for (let i = 0; i < 20; i++) session.acknowledge()
  session.send('a')
  await session.settle()
  return session
}

t.test('reads no more when controls have used up the bytes', async (t) => {
  const session = await fullOfControls()
  t.match(session.describe(), { limited: true, paused: true, messages: 0 })
  t.strictSame(session.received, [])
  for (let i = 0; i < 35; i++) await session.advance(100)
  t.strictSame(session.received, ['a'])
  await session.advance(5000)
  t.match(session.describe(), { limited: false, paused: false })
})

t.test('hands on what was read before the end, controls or not', async (t) => {
  const session = await fullOfControls()
  t.match(session.describe(), { limited: true, messages: 0 })
  session.rig.processes.exit(session.pid)
  await session.settle()
  t.strictSame(session.received, ['a'])
  t.equal(session.isOpen, false)
})

t.test('does not count controls as messages', async (t) => {
  const session = new ModelSession({ limit: { messages: '2/h', burst: 3600, over: 'close' } })
  await session.settle()
  session.send('a')
  session.send('b')
  for (let i = 0; i < 50; i++) session.acknowledge()
  await session.settle()
  t.equal(session.isOpen, true)
  t.strictSame(session.received, ['a', 'b'])
  t.equal(session.rig.relay.counters.limited, 0)
})

t.test('is advised to leave a server that closes', async (t) => {
  const session = new ModelSession({ limit: { messages: '10/s' } })
  await session.settle()
  const drained = session.rig.processes.drain({ over: 100, delay: 0 })
  for (let i = 0; i < 5; i++) await session.advance(100)
  await drained
  t.equal(session.isOpen, false)
})
