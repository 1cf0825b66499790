// A connection behaves alike over each transport.
import t from 'tap'
import { Rig, WebSocketClient, transports } from './clients.js'
import type { Story } from '../../properties/connections/connection-bench.js'
import type { Client } from './clients.js'
import type { WsRelayOptions } from '../../../types/relay.js'

/** The topics that a target has received, with the data of messages in their place. */
function storyOf ({ mail }: Story): string[] {
  return mail.map(({ topic, payload }) => topic === 'ws.message' ? String(payload.data) : topic)
}

for (const [name, clientOf] of transports) {
  const build = async (options: WsRelayOptions = {}) => {
    const rig = new Rig(options)
    const target = rig.target()
    const client: Client = clientOf(rig)
    const connection = rig.connect(target, client.transport)
    await rig.settle()
    const send = (data: string): boolean => rig.processes.send(connection.pid, 'ws.send', { data })
    return { rig, target, client, connection, pid: connection.pid, send }
  }

  t.test(`over ${name}`, async (t) => {
    t.test('joins, delivers messages of both types in order, and leaves', async (t) => {
      const { rig, target, client, connection, pid } = await build()
      client.send('a')
      client.send(Buffer.from([1, 2]))
      client.send('é')
      await rig.settle()
      t.match(connection.describe(), { kind: 'ws', target: target.pid, messages: 3, paused: false })
      client.close(4000, 'bye')
      await rig.settle()
      t.strictSame(
        target.mail.map(({ topic, payload }) => [topic, payload.type, payload.data?.toString()]),
        [
          ['ws.join', undefined, undefined],
          ['ws.message', 'text', 'a'],
          ['ws.message', 'binary', '\u0001\u0002'],
          ['ws.message', 'text', 'é'],
          ['ws.leave', undefined, undefined],
          ['@exit', undefined, undefined]
        ]
      )
      t.match(target.mail[4].payload, { cause: 'client', code: 4000, reason: 'bye' })
      t.match(target.mail[5].payload, { reason: 'normal', value: { cause: 'client', code: 4000 } })
      t.strictSame(client.seen, { code: 4000, reason: 'bye' })
      t.equal(rig.processes.alive(pid), false)
      t.equal(rig.relay.connections.size, 0)
      t.equal(rig.relay.deadlines.size, 0)
    })

    t.test('sends texts, bytes and topics in order', async (t) => {
      const { rig, client, pid, send } = await build()
      t.ok(send('a'))
      t.ok(rig.processes.send(pid, 'ws.send', { type: 'text', data: Buffer.from('b') }))
      t.ok(rig.processes.send(pid, 'notice', { n: 1 }))
      t.ok(send('c'))
      await rig.settle()
      t.strictSame(client.texts, ['a', 'b', '{"topic":"notice","data":{"n":1}}', 'c'])
    })

    t.test('answers a call of ws.send when the client has the message', async (t) => {
      const { rig, client, pid } = await build()
      let answered = false
      client.stall()
      for (const data of ['a'.repeat(600), 'b']) {
        rig.processes.call(pid, 'ws.send', { data }).then(() => { answered = true }, t.fail)
      }
      await rig.settle()
      t.equal(answered, false)
      client.read()
      await rig.settle()
      t.equal(answered, true)
      t.equal(client.texts.length, 2)
    })

    t.test('stops reading while the mailbox of the target is full, and loses nothing', async (t) => {
      const { rig, target, client, connection } = await build()
      target.hold()
      const texts = Array.from({ length: 30 }, (_, i) => `${i}`)
      for (const text of texts) client.send(text)
      await rig.settle()
      t.equal(connection.describe().paused, true)
      t.ok(connection.describe().messages! < 15)
      target.release()
      await rig.settle()
      t.equal(connection.describe().paused, false)
      t.strictSame(storyOf(target), ['ws.join', ...texts])
    })

    t.test('hands over what was read when the client is lost while the target is full', async (t) => {
      const { rig, target, client } = await build()
      target.hold()
      const texts = Array.from({ length: 30 }, (_, i) => `${i}`)
      for (const text of texts) client.send(text)
      await rig.settle()
      client.vanish()
      target.release()
      await rig.settle()
      t.match(target.mail.at(-2), { topic: 'ws.leave', payload: { cause: 'lost' } })
      const read = storyOf(target).slice(1, -2)
      t.strictSame(read, texts.slice(0, read.length), 'a part of them, in order')
      t.equal(client.isCut, true)
      t.equal(rig.relay.connections.size, 0)
    })

    t.test('moves to another target without a loss', async (t) => {
      const { rig, target, client, pid } = await build()
      const next = rig.target()
      target.hold()
      const texts = Array.from({ length: 30 }, (_, i) => `${i}`)
      for (const text of texts) client.send(text)
      await rig.settle()
      rig.processes.send(pid, 'ws.control', { target_pid: next.pid })
      target.release()
      await rig.settle()
      const before = storyOf(target)
      const after = storyOf(next)
      t.equal(after[0], 'ws.join')
      t.equal(before.at(-1), 'ws.leave')
      t.strictSame([...before.slice(1, -1), ...after.slice(1)], texts)
    })

    t.test('closes a client that reads too slowly', async (t) => {
      const { rig, target, client, pid, send } = await build({ maxBufferedAmount: 1000 })
      client.stall()
      let sent = 0
      while (sent < 100 && send('x'.repeat(300))) {
        sent++
        await rig.settle()
      }
      await rig.settle()
      t.ok(sent >= 3 && sent < 20, `${sent} messages`)
      t.equal(rig.processes.alive(pid), false)
      t.match(target.mail.at(-2), { topic: 'ws.leave', payload: { cause: 'slow', code: 1013 } })
      client.read()
      await rig.settle()
      t.equal(client.texts.length, sent, 'it gets all that was accepted')
      t.strictSame(client.seen, { code: 1013, reason: 'client too slow' })
    })

    t.test('drops messages for a client that reads too slowly, and goes on', async (t) => {
      const { rig, client, connection, send } =
        await build({ maxBufferedAmount: 1000, overflow: 'drop' })
      client.stall()
      let sent = 0
      for (let i = 0; i < 30; i++) {
        if (send('x'.repeat(300))) sent++
        await rig.settle()
      }
      t.ok(connection.describe().buffered! > 1000)
      t.equal(connection.describe().dropped, 30 - sent)
      client.read()
      await rig.settle()
      t.ok(send('y'))
      await rig.settle()
      t.equal(client.texts.length, sent + 1)
      t.equal(client.texts.at(-1), 'y')
    })

    t.test('closes by ws.close, after the messages before it', async (t) => {
      const { rig, target, client, pid, send } = await build()
      send('last')
      rig.processes.send(pid, 'ws.close', { code: 4001, reason: 'enough' })
      t.equal(send('too late'), false)
      await rig.settle()
      t.strictSame(client.texts, ['last'])
      t.strictSame(client.seen, { code: 4001, reason: 'enough' })
      t.match(target.mail.at(-2), { payload: { cause: 'process', code: 4001, reason: 'enough' } })
    })

    t.test('closes when its target ends, and is cut by a kill', async (t) => {
      const one = await build()
      one.rig.processes.exit(one.target.pid, 'boom')
      await one.rig.settle()
      t.strictSame(one.client.seen, { code: 1011, reason: 'target process exited' })
      const other = await build()
      other.rig.processes.exit(other.pid, 'kill')
      await other.rig.settle()
      t.match(other.target.mail.at(-2), { payload: { cause: 'killed' } })
      t.equal(other.client.isCut, true)
      for (const { rig } of [one, other]) t.equal(rig.relay.connections.size, 0)
    })

    t.test('cuts a client that does not read the close within closeTimeout', async (t) => {
      const { rig, target, client, pid } = await build()
      client.stall()
      rig.processes.send(pid, 'ws.send', { data: 'x'.repeat(2000) })
      rig.processes.send(pid, 'ws.close')
      await rig.settle()
      t.equal(rig.processes.alive(pid), false)
      t.equal(target.mail.at(-1)!.topic, '@exit', 'it does not wait for the client')
      t.equal(rig.relay.connections.size, 1)
      await rig.advance(100)
      t.equal(client.isCut, true)
      t.equal(rig.relay.connections.size, 0)
      t.equal(rig.relay.deadlines.size, 0)
    })

    t.test('ends with the server, which waits for its transport', async (t) => {
      const { rig, client } = await build()
      const slow = clientOf(rig)
      rig.connect(rig.target(), slow.transport)
      slow.stall()
      let closed = false
      rig.relay.close().then(() => { closed = true }, t.fail)
      await rig.settle()
      t.strictSame(client.seen, { code: 1001, reason: 'server shutting down' })
      t.equal(rig.relay.connections.size, 1)
      t.equal(rig.processes.stats().alive, 2, 'the processes end after the connections')
      await rig.advance(100)
      t.equal(slow.isCut, true)
      t.equal(rig.processes.stats().alive, 0)
      t.equal(closed, true)
    })
  })
}

t.test('a WebSocket finds out that its client is gone, and a living one is pinged', async (t) => {
  const rig = new Rig()
  const target = rig.target()
  const [living, dead] = [new WebSocketClient(rig), new WebSocketClient(rig)]
  for (const { transport } of [living, dead]) rig.connect(target, transport)
  await rig.settle()
  dead.fallSilent()
  for (let i = 0; i < 10; i++) await rig.advance(100)
  t.equal(living.isCut, false)
  t.equal(dead.isCut, true)
  t.match(target.mail.at(-2)!.payload, { cause: 'ping_timeout' })
  t.equal(rig.relay.connections.size, 1)
})
