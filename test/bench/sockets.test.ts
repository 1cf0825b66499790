// Counts the writes and timers of messages, without time measurement. The counts must not grow.
import t, { type Test } from 'tap'
import { build, listen, open, until } from '../helpers.js'
import { TestClock } from '../laps.js'
import type { Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type WebSocket from 'ws'
import type { Pid } from '../../types/pid.js'

/** The sockets of the server, and every chunk written to one of them. */
function observe (app: FastifyInstance): { sockets: Socket[], chunks: Buffer[] } {
  const sockets: Socket[] = []
  const chunks: Buffer[] = []
  app.server.on('connection', (socket: Socket) => {
    sockets.push(socket)
    const write = socket.write.bind(socket) as (...args: unknown[]) => boolean
    socket.write = (...args: unknown[]) => {
      if (args[0] instanceof Buffer) chunks.push(args[0])
      return write(...args)
    }
  })
  return { sockets, chunks }
}

/** Connects clients to one lobby, and records the writes of the server after that. */
async function crowd (t: Test, count: number, heartbeat?: number) {
  const app = await build(t)
  const observed = observe(app)
  const pids: Pid[] = []
  const lobby = app.processes.spawn((self) =>
    self.serve({
      'ws.join': ({ client_pid }) => {
        pids.push(client_pid)
      },
      'ws.message': ({ client_pid, data }) => {
        for (let i = 0; i < 16; i++) {
          self.send(client_pid, 'ws.send', { data: `${String(data)} ${i}` })
        }
      },
      'ws.leave': () => {}
    })
  )
  app.get('/', (_request, reply) => {
    reply.relay(lobby, { heartbeat_interval: heartbeat }).send()
  })
  const port = await listen(app)
  const clients: WebSocket[] = []
  while (clients.length < count) clients.push(await open(t, `ws://127.0.0.1:${port}/`))
  await until(() => pids.length === count)
  observed.chunks.length = 0
  return { app, pids, clients, ...observed }
}

/** Resolves with the next message of every client. */
function answers (clients: readonly WebSocket[]): Promise<string[]> {
  return Promise.all(clients.map((client) => new Promise<string>((resolve) => {
    client.once('message', (data: Buffer) => { resolve(data.toString()) })
  })))
}

t.test('a loop of sends to 100 sockets in one turn makes 100 writes of one frame', async (t) => {
  const { app, pids, clients, chunks } = await crowd(t, 100)
  const texts = answers(clients)
  for (const pid of pids) app.processes.send(pid, 'ws.send', { type: 'text', data: 'to all' })
  t.same(new Set(await texts), new Set(['to all']))
  t.equal(chunks.length, 100)
  t.equal(new Set(chunks).size, 1)
})

for (const data of ['to all', Buffer.from('to all')]) {
  t.test(
    `a broadcast of ${typeof data === 'string' ? 'text' : 'bytes'} to 100 sockets makes 100 writes of one frame`,
    async (t) => {
      const { app, pids, clients, chunks } = await crowd(t, 100)
      for (const pid of pids) app.processes.groups.join('all', pid)
      const texts = answers(clients)
      t.equal(app.processes.groups.broadcast('all', 'ws.send', { data }), 100)
      t.same(new Set(await texts), new Set(['to all']))
      t.equal(chunks.length, 100)
      t.equal(new Set(chunks).size, 1)
    }
  )
}

t.test('16 messages to one socket in one turn make one write', async (t) => {
  const { clients: [client], chunks } = await crowd(t, 1)
  const texts: string[] = []
  client.on('message', (data: Buffer) => { texts.push(data.toString()) })
  client.send('answer')
  await until(() => texts.length === 16)
  t.equal(texts[15], 'answer 15')
  t.equal(chunks.length, 1)
})

t.test('shares timers, so that more connections need no more timers', async (t) => {
  const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = timers()
  // Connecting takes different times, but all timers expire together.
  new TestClock(t).stop()
  await crowd(t, 200, 60_000)
  // One for all pings and one for all heartbeats; the server has some of its own.
  t.ok(timers() - before <= 6, `${timers() - before} timers`)
})

t.test('all sockets share the same few listeners', async (t) => {
  const { sockets } = await crowd(t, 3)
  const listeners = (socket: Socket) =>
    socket.eventNames().flatMap((name) => socket.listeners(name))
  const [first, ...others] = sockets.map((socket) => new Set(listeners(socket)))
  t.ok(first.size <= 8, `${first.size} listeners`)
  const ours = ['data', 'drain', 'end', 'error', 'close'].map((name) =>
    sockets[0].listeners(name).at(-1)
  )
  for (const other of others) {
    t.ok(
      ours.every((listener) => other.has(listener!)),
      'no connection has closures of its own'
    )
  }
})
