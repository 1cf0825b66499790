// Clients on real sockets, in a room that a real supervisor restarts.
import t from 'tap'
import { once } from 'node:events'
import WebSocket from 'ws'
import { build, listen, until } from '../../../helpers.js'
import { WireClient } from '../../resume/wire-client.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Pid } from '../../../../types/pid.js'
import type { Process } from '../../../../types/processes.js'
import type { SupervisorSpec } from '../../../../types/processes.js'
import type { WsRelayOptions } from '../../../../types/relay.js'

/** One process of the room: its joins, and the texts of its clients. */
interface Incarnation {
  readonly joins: Array<{ client_pid: Pid, rejoined?: true, connected?: false }>
  readonly texts: string[]
}

interface House {
  readonly app: FastifyInstance
  readonly port: number
  readonly incarnations: Incarnation[]
  /** A supervised room. Each text `crash` makes it fail, and each rejoin if `failsInJoin`. */
  supervise (spec?: SupervisorSpec, failsInJoin?: boolean): void
}

async function house (t: Test, park: string, options: WsRelayOptions = {}): Promise<House> {
  const app = await build(t, options)
  const incarnations: Incarnation[] = []
  app.get('/', (request, reply) => {
    reply.relay('room', { on_target_exit: 'park', park }).send()
  })
  const room = (failsInJoin: boolean) => (self: Process): Promise<void> => {
    const here: Incarnation = { joins: [], texts: [] }
    incarnations.push(here)
    return self.serve({
      'ws.join': (join) => {
        here.joins.push(join)
        if (failsInJoin && join.rejoined === true) throw new Error('boom')
      },
      'ws.message': ({ client_pid, data }) => {
        here.texts.push(String(data))
        if (data === 'crash') throw new Error('boom')
        self.send(client_pid, 'ws.send', { data })
      }
    })
  }
  return {
    app,
    port: await listen(app),
    incarnations,
    supervise: (spec, failsInJoin = false) => {
      const child = { id: 'room', name: 'room', start: room(failsInJoin) }
      app.processes.supervise({ ...spec, children: [child] })
    }
  }
}

function connectTo (t: Test, port: number): { client: WebSocket, texts: string[] } {
  const client = new WebSocket(`ws://127.0.0.1:${port}/`)
  t.teardown(() => { client.terminate() })
  const texts: string[] = []
  client.on('message', (data: Buffer) => { texts.push(data.toString()) })
  return { client, texts }
}

async function closeOf (client: WebSocket): Promise<{ code: number, reason: string }> {
  const [code, reason] = await once(client, 'close') as [number, Buffer]
  return { code, reason: reason.toString() }
}

t.test('keeps all sockets, in order and counted, when their room crashes', async (t) => {
  const rooms = await house(t, '5m')
  const { app, incarnations } = rooms
  rooms.supervise()
  const clients = Array.from({ length: 50 }, () => connectTo(t, rooms.port))
  await Promise.all(clients.map(({ client }) => once(client, 'open')))
  await until(() => incarnations[0].joins.length === clients.length)
  const { deadLetters } = app.processes.stats()
  clients[0].client.send('crash')
  const numbers = Array.from({ length: 20 }, (_, i) => `${i}`)
  for (const { client } of clients) for (const number of numbers) client.send(number)
  await until(() => incarnations.at(1)?.joins.length === clients.length)
  for (const { client } of clients) client.send('20')
  await until(() => clients.every(({ texts }) => texts.at(-1) === '20'))
  t.equal(incarnations.length, 2)
  t.equal(incarnations[1].joins.length, clients.length)
  t.ok(incarnations[1].joins.every(({ rejoined }) => rejoined === true))
  t.equal(new Set(incarnations[1].joins.map((join) => join.client_pid)).size, clients.length)
  for (const { texts } of clients) {
    t.strictSame(texts, [...texts].sort((a, b) => Number(a) - Number(b)), 'in order')
    t.equal(new Set(texts).size, texts.length, 'once')
  }
  const handled = incarnations.reduce((sum, { texts }) => sum + texts.length, 0)
  const stats = app.processes.stats()
  t.equal(stats.deadLetters - deadLetters, 1 + 21 * clients.length - handled, 'the others are dead letters')
  t.match(stats.connections, { open: clients.length, closed: 0, parked: 0, paused: 0 })
})

t.test('closes with 1011 when the room fails in each rejoin until the time is over',
  async (t) => {
    const rooms = await house(t, '100ms')
    rooms.supervise({ maxRestarts: 3 }, true)
    const clients = Array.from({ length: 5 }, () => connectTo(t, rooms.port).client)
    await Promise.all(clients.map((client) => once(client, 'open')))
    await until(() => rooms.incarnations[0].joins.length === clients.length)
    const closes = clients.map(closeOf)
    clients[0].send('crash')
    for (const close of await Promise.all(closes)) {
      t.strictSame(close, { code: 1011, reason: 'target process exited' })
    }
    t.ok(rooms.incarnations.length <= 4, 'the supervisor has given up, or had no need to')
    t.match(rooms.app.processes.stats().connections, { open: 0, parked: 0 })
  })

t.test('rejoins when another supervisor starts a process with the name', async (t) => {
  const rooms = await house(t, '5m')
  rooms.supervise({ maxRestarts: 0 })
  const { client, texts } = connectTo(t, rooms.port)
  await once(client, 'open')
  client.send('crash')
  await until(() => rooms.app.processes.stats().connections?.parked === 1)
  client.send('hello')
  rooms.supervise()
  await until(() => texts.length === 1)
  t.strictSame(texts, ['hello'])
})

t.test('closes a parked socket with 1001 when the server closes', async (t) => {
  const rooms = await house(t, '5m')
  rooms.supervise({ maxRestarts: 0 })
  const { client } = connectTo(t, rooms.port)
  await once(client, 'open')
  client.send('crash')
  await until(() => rooms.app.processes.stats().connections?.parked === 1)
  const close = closeOf(client)
  await rooms.app.close()
  t.strictSame(await close, { code: 1001, reason: 'server shutting down' })
})

t.test('rejoins for a client that is away, and hands over its messages when it is back',
  async (t) => {
    const rooms = await house(t, '5m', { resume: true })
    rooms.supervise({ maxRestarts: 0 })
    const client = new WireClient(t, { port: rooms.port, path: '/' })
    await client.connect()
    client.send('hello')
    await client.until(() => client.received.length === 1)
    const { processes } = rooms.app
    // A loss is noticed at once only while the socket is read.
    await client.cut()
    await until(() => processes.stats().connections?.suspended === 1)
    processes.exit('room', 'boom')
    await until(() => processes.stats().connections?.parked === 1)
    client.send('one')
    rooms.supervise()
    await until(() => rooms.incarnations.at(1)?.joins.length === 1)
    t.match(rooms.incarnations[1].joins, [{ rejoined: true, connected: false }])
    await client.connect()
    client.send('two')
    await client.until(() => client.received.length === 3)
    t.strictSame(client.received, ['hello', 'one', 'two'])
    await client.cut()
  })
