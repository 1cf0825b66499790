// Clients with a `limit`, on a clock that only the test moves.
import t from 'tap'
import { overLimit } from '../../../lib/connection/limits/rate-limiter.js'
import { ticks } from '../../properties/clock.js'
import { Rig, WebSocketClient, transports } from '../transports/clients.js'
import type { Connection } from '../../../lib/connection/connection.js'
import type { Story } from '../../properties/connections/connection-bench.js'
import type { RelayLimit } from '../../../types/messages.js'
import type { Client } from '../transports/clients.js'

/** The data of the messages that a target has received. */
function dataOf ({ mail }: Story): string[] {
  return mail.filter(({ topic }) => topic === 'ws.message').map(({ payload }) => payload.data)
}

function topicsOf ({ mail }: Story): string[] {
  return mail.map(({ topic, payload }) => topic === 'ws.message' ? String(payload.data) : topic)
}

function numbers (count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, i) => String(i + first))
}

interface Limited {
  readonly rig: Rig
  readonly target: Story
  readonly client: Client
  readonly connection: Connection
}

for (const [name, clientOf] of transports) {
  const build = async (limit: RelayLimit | undefined, rig = new Rig()): Promise<Limited> => {
    const target = rig.target()
    const client = clientOf(rig)
    const connection = rig.connect(target, client.transport, { limit })
    await rig.settle()
    return { rig, target, client, connection }
  }

  t.test(`over ${name}`, async (t) => {
    t.test('reads a burst at once, and then as many as the rate allows, in order', async (t) => {
      const { rig, target, client, connection } = await build({ messages: '10/s' })
      for (const data of numbers(40)) client.send(data)
      await rig.settle()
      t.strictSame(dataOf(target), numbers(10))
      t.match(connection.describe(), { limited: true, paused: true, messages: 10 })
      await rig.advance(99)
      t.equal(dataOf(target).length, 10)
      for (let i = 0; i < 10; i++) await rig.advance(100)
      t.ok(dataOf(target).length >= 19 && dataOf(target).length <= 20)
      for (let i = 0; i < 25; i++) await rig.advance(100)
      t.strictSame(dataOf(target), numbers(40))
      await rig.advance(1000)
      t.match(connection.describe(), { limited: false, paused: false })
      for (const data of numbers(10, 40)) client.send(data)
      await rig.settle()
      t.strictSame(dataOf(target), numbers(50), 'the bucket is full again')
    })

    t.test('counts bytes, and takes a message that is larger than a burst whole', async (t) => {
      const { rig, target, client } = await build({ bytes: '1000B/s' })
      const sent = ['x'.repeat(400), 'x'.repeat(3100), 'last']
      for (const data of sent) client.send(data)
      await rig.settle()
      t.equal(dataOf(target).length, 2)
      // 2501 bytes are missing until there is one.
      await rig.advance(2500)
      t.equal(dataOf(target).length, 2)
      await rig.advance(60)
      t.strictSame(dataOf(target), sent)
    })

    t.test('obeys the stricter of two rates', async (t) => {
      const { rig, target, client } = await build({ messages: '10/s', bytes: '100B/s', burst: 0.5 })
      for (let i = 0; i < 3; i++) client.send('x'.repeat(25))
      await rig.settle()
      t.equal(dataOf(target).length, 2, 'bytes')
      await rig.advance(300)
      await rig.advance(9700)
      t.equal(dataOf(target).length, 3)
      for (const data of numbers(6)) client.send(data)
      await rig.settle()
      t.equal(dataOf(target).length, 8, 'messages')
    })

    t.test('allows a burst of so many seconds, and of one message at least', async (t) => {
      const long = await build({ messages: '10/s', burst: 3 })
      for (const data of numbers(40)) long.client.send(data)
      await long.rig.settle()
      t.equal(dataOf(long.target).length, 30)
      const rare = await build({ messages: '6/m' })
      for (const data of numbers(3)) rare.client.send(data)
      await rare.rig.settle()
      t.equal(dataOf(rare.target).length, 1)
      await rare.rig.advance(9999)
      t.equal(dataOf(rare.target).length, 1)
      await rare.rig.advance(260)
      t.equal(dataOf(rare.target).length, 2)
    })

    t.test('slows no other client of the same target', async (t) => {
      const { rig, target, client } = await build({ messages: '10/s' })
      const other = clientOf(rig)
      const { pid } = rig.connect(target, other.transport)
      for (const data of numbers(100)) {
        client.send(data)
        other.send(data)
        await rig.settle()
      }
      const ofOther = target.mail.filter(({ topic, from }) => topic === 'ws.message' && from === pid)
      t.equal(ofOther.length, 100)
      t.equal(dataOf(target).length, 110)
      t.equal(rig.relay.counters.limited, 1)
    })

    t.test('reads on when both the limit and the target allow it', async (t) => {
      const { rig, target, client, connection } = await build({ messages: '10/s' })
      target.hold()
      for (const data of numbers(30)) client.send(data)
      await rig.settle()
      const { mailbox } = rig.processes.info(target.pid)!
      t.match(connection.describe(), { paused: true, limited: false }, 'the mailbox is full first')
      t.ok(mailbox <= 8)
      await rig.advance(1000)
      t.equal(rig.processes.info(target.pid)!.mailbox, mailbox)
      target.release()
      await rig.settle()
      t.match(connection.describe(), { paused: true, limited: true }, 'now the limit')
      target.hold()
      const { length } = dataOf(target)
      for (let i = 0; i < 10; i++) await rig.advance(100)
      t.match(connection.describe(), { paused: true, limited: false }, 'the mailbox is full again')
      t.equal(dataOf(target).length, length + 1, 'the handler has one, and the mailbox the others')
      target.release()
      for (let i = 0; i < 30; i++) await rig.advance(100)
      t.strictSame(dataOf(target), numbers(30))
    })

    t.test('waits for the limit although the target has room again', async (t) => {
      const { rig, target, client, connection } = await build({ messages: '6/s' })
      target.hold()
      client.send('a')
      await rig.settle()
      for (const data of numbers(5)) client.send(data)
      await rig.settle()
      t.match(connection.describe(), { paused: true, limited: true })
      for (let i = 0; i < 8; i++) rig.processes.send(target.pid, 'fill')
      client.send('b')
      await rig.advance(200)
      t.match(connection.describe(), { paused: true, limited: true })
      await rig.advance(400)
      target.release()
      await rig.settle()
      t.strictSame(dataOf(target), ['a', ...numbers(5), 'b'])
    })

    t.test('hands on what was read when the client closes, and then the leave', async (t) => {
      const { rig, target, client, connection } = await build({ messages: '2/s' })
      for (const data of numbers(6)) client.send(data)
      client.close(4000, 'bye')
      await rig.settle()
      t.strictSame(dataOf(target), numbers(2))
      rig.processes.cancel(connection.pid)
      await rig.settle()
      t.strictSame(topicsOf(target), ['ws.join', ...numbers(6), 'ws.leave', '@exit'])
      await rig.advance(100)
      t.equal(rig.relay.deadlines.size, 0)
    })

    t.test('keeps nothing when its target ends while the client is over its limit', async (t) => {
      const { rig, target, client } = await build({ messages: '1/s' })
      for (const data of numbers(3)) client.send(data)
      await rig.settle()
      rig.processes.exit(target.pid, 'normal')
      await rig.settle()
      t.match(client.seen, { code: 1000 })
      await rig.advance(100)
      t.equal(rig.relay.deadlines.size, 0)
      t.equal(rig.clock.runningTimers, 0)
    })

    t.test("closes a client that is over its limit, with over: 'close'", async (t) => {
      const { rig, target, client, connection } = await build({ messages: '3/s', over: 'close' })
      const exit = rig.processes.exited(connection.pid)
      for (const data of numbers(3)) client.send(data)
      await rig.settle()
      t.match(connection.describe(), { limited: false, paused: false })
      for (const data of numbers(3, 3)) client.send(data)
      await rig.settle()
      t.strictSame(topicsOf(target), ['ws.join', ...numbers(3), 'ws.leave', '@exit'])
      t.strictSame(client.seen, overLimit)
      t.match(target.mail.find(({ topic }) => topic === 'ws.leave')!.payload, {
        code: 1008, reason: 'too many messages', cause: 'protocol'
      })
      t.match(await exit, { reason: 'protocol_error', value: { cause: 'protocol', code: 1008 } })
      t.equal(rig.relay.counters.limited, 1)
    })

    t.test("drops what was read after the message that closes, with over: 'close'", async (t) => {
      const { rig, target, client } = await build({ messages: '3/s', over: 'close' })
      client.transport.pause()
      for (const data of numbers(6)) client.send(data)
      await rig.settle()
      client.transport.resume()
      await rig.settle()
      t.strictSame(dataOf(target), numbers(3))
      t.strictSame(client.seen, overLimit)
    })

    t.test('notices that its client is lost, when it is read again', async (t) => {
      const { rig, target, client } = await build({ messages: '2/s' })
      client.send('a')
      await rig.settle()
      client.vanish()
      await rig.settle()
      t.strictSame(topicsOf(target), ['ws.join', 'a', 'ws.leave', '@exit'])
      t.match(target.mail[2].payload, { cause: 'lost' })
    })

    t.test("closes a client only when it sends faster, with over: 'close'", async (t) => {
      const { rig, target, client } = await build({ messages: '10/s', over: 'close' })
      for (let second = 0; second < 5; second++) {
        for (const data of numbers(10)) client.send(data)
        await rig.advance(1000)
      }
      t.equal(client.seen, undefined)
      t.equal(dataOf(target).length, 50)
      t.equal(rig.relay.counters.limited, 0)
    })

    t.test('moves to another target with the same buckets', async (t) => {
      const { rig, target, client, connection } = await build({ messages: '5/s' })
      const next = rig.target()
      for (const data of numbers(12)) client.send(data)
      await rig.settle()
      await rig.processes.send(connection.pid, 'ws.control', { target_pid: next.pid })
      await rig.settle()
      t.strictSame(dataOf(next), [])
      t.match(connection.describe(), { limited: true, paused: true })
      for (let i = 0; i < 15; i++) await rig.advance(100)
      t.strictSame(dataOf(target), numbers(5))
      t.strictSame(dataOf(next), numbers(7, 5))
    })
  })

  t.test(`ws.control over ${name}`, async (t) => {
    const control = ({ rig, connection }: Limited, limit: RelayLimit | null): boolean => {
      return rig.processes.send(connection.pid, 'ws.control', { limit })
    }

    t.test('sets a limit on a connection without one', async (t) => {
      const limited = await build(undefined)
      const { rig, target, client } = limited
      for (const data of numbers(5)) client.send(data)
      await rig.settle()
      t.ok(control(limited, { messages: '2/s' }))
      for (const data of numbers(5, 5)) client.send(data)
      await rig.settle()
      t.strictSame(dataOf(target), numbers(7))
      for (let i = 0; i < 20; i++) await rig.advance(100)
      t.strictSame(dataOf(target), numbers(10))
    })

    t.test('sets a limit while the mailbox of the target is full', async (t) => {
      const limited = await build(undefined)
      const { rig, target, client, connection } = limited
      target.hold()
      for (const data of numbers(10)) client.send(data)
      await rig.settle()
      t.match(connection.describe(), { paused: true })
      t.ok(control(limited, { messages: '1/s' }))
      target.release()
      await rig.settle()
      t.match(connection.describe(), { limited: true })
      for (let i = 0; i < 100; i++) await rig.advance(100)
      t.strictSame(dataOf(target), numbers(10))
    })

    t.test('raises a limit at once, lowers it, and takes it away', async (t) => {
      const limited = await build({ messages: '1/m' })
      const { rig, target, client, connection } = limited
      for (const data of numbers(50)) client.send(data)
      await rig.settle()
      t.equal(dataOf(target).length, 1)
      // The bucket of the first limit is full again in a minute, that of the next one in a second.
      t.ok(control(limited, { messages: '10/s', burst: 60 }))
      await rig.settle()
      const { length } = dataOf(target)
      t.ok(length >= 1)
      t.ok(control(limited, { messages: '10/s', bytes: '1KiB/s' }))
      await rig.settle()
      t.match(connection.describe(), { limited: true })
      t.ok(control(limited, null))
      await rig.settle()
      t.strictSame(dataOf(target), numbers(50))
      t.match(connection.describe(), { limited: false, paused: false })
      t.equal(rig.relay.deadlines.size, name === 'a WebSocket' ? 1 : 0, 'only its ping')
      t.ok(control(limited, null))
    })

    t.test('changes nothing when the limit is not valid', async (t) => {
      const limited = await build({ messages: '1/s' })
      t.notOk(control(limited, { messages: 'many' }))
      for (const data of numbers(3)) limited.client.send(data)
      await limited.rig.settle()
      t.equal(dataOf(limited.target).length, 1)
    })
  })
}

t.test('reads 10 000 messages at 50 a second in order, in 199 seconds', async (t) => {
  const rig = new Rig({ pingInterval: 0 })
  const target = rig.target()
  const client = new WebSocketClient(rig)
  rig.connect(target, client.transport, { limit: { messages: '50/s' } })
  await rig.settle()
  const start = rig.clock.time
  client.sendAll(numbers(10_000))
  await rig.settle()
  t.equal(dataOf(target).length, 50)
  while (target.mail.length <= 10_000 && rig.clock.time < start + 210_000) {
    rig.clock.advance(100)
    await ticks()
    rig.clock.run()
    rig.clock.yieldOnce()
  }
  const lasted = rig.clock.time - start
  t.strictSame(dataOf(target), numbers(10_000))
  t.ok(lasted >= 199_000, `${lasted} ms`)
  t.ok(lasted <= 200_000, `${lasted} ms`)
})

t.test('does not take a client for dead that is over its limit', async (t) => {
  const rig = new Rig()
  const target = rig.target()
  const client = new WebSocketClient(rig)
  rig.connect(target, client.transport, { limit: { messages: '2/m' } })
  client.fallSilent()
  client.send('a')
  client.send('b')
  await rig.settle()
  for (let i = 0; i < 50; i++) await rig.advance(100)
  t.match(rig.relay.connections.size, 1)
  for (let i = 0; i < 70; i++) await rig.advance(1000)
  t.match(target.mail.find(({ topic }) => topic === 'ws.leave')!.payload, { cause: 'ping_timeout' })
  t.strictSame(dataOf(target), ['a', 'b'])
})
