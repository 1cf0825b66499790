// `reply.relay` with a key: the process starts before the 101.
import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { build, handshake, listen, logs, open, Raw, until } from '../../helpers.js'
import { deferred } from '../../process/helpers.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Keyed, KeyedOptions } from '../../../types/keyed.js'
import type { Process } from '../../../types/processes.js'

interface Lobby {
  readonly app: FastifyInstance
  readonly rooms: Keyed
  readonly port: number
  readonly url: string
  /** The keys of the processes that have started, and the clients that each has. */
  readonly started: string[]
  readonly clients: Map<string, number>
  readonly lines: Array<Record<string, any>>
}

async function serve (
  t: Test,
  options: KeyedOptions = {},
  before: (key: string) => unknown = () => {},
  server = {}
): Promise<Lobby> {
  const { logger, lines } = logs('warn')
  const app = await build(t, server, { logger })
  const started: string[] = []
  const clients = new Map<string, number>()
  const rooms = app.processes.keyed('room', {
    ...options,
    start: async (self: Process, key: string) => {
      started.push(key)
      await before(key)
      await self.serve({
        'ws.join': ({ client_pid }) => {
          clients.set(key, (clients.get(key) ?? 0) + 1)
          self.send(client_pid, 'ws.send', { data: key })
        },
        'ws.leave': () => { clients.set(key, clients.get(key)! - 1) }
      })
    }
  })
  app.get<{ Params: { key: string } }>('/:key', (request, reply) => {
    reply.relay(rooms.key(request.params.key)).send()
  })
  app.get('/header/:key', (request, reply) => {
    const { key } = request.params as { key: string }
    reply.header('x-ws-relay', rooms.key(key)).send()
  })
  const port = await listen(app)
  return { app, rooms, port, url: `ws://127.0.0.1:${port}`, started, clients, lines }
}

/** The head and the body of the answer to an upgrade. */
async function answer (port: number, path: string): Promise<string> {
  const raw = new Raw(connect(port, '127.0.0.1'))
  raw.write(handshake(path))
  await until(() => raw.text.includes('\r\n\r\n'))
  raw.socket.destroy()
  return raw.text
}

t.test('starts one process for 1 000 first upgrades of a key', async (t) => {
  const { promise, resolve } = deferred()
  const lobby = await serve(t, {}, () => promise, { maxHandshakes: 2000 })
  const raws = Array.from({ length: 1000 }, () => {
    const raw = new Raw(connect(lobby.port, '127.0.0.1'))
    raw.write(handshake('/a'))
    t.teardown(() => { raw.socket.destroy() })
    return raw
  })
  await until(() => lobby.started.length > 0)
  resolve()
  await until(() => raws.every(({ text }) => text.endsWith('\u0081\u0001a')))
  t.same(lobby.started, ['a'])
  t.equal(lobby.clients.get('a'), 1000)
  t.match(lobby.app.processes.stats().keyed, { room: { alive: 1, started: 1, refused: 0 } })
})

t.test('upgrades at once when the process has started', async (t) => {
  const lobby = await serve(t)
  await open(t, `${lobby.url}/a`)
  await open(t, `${lobby.url}/a`)
  await open(t, `${lobby.url}/header/a`)
  await until(() => lobby.clients.get('a') === 3)
  t.same(lobby.started, ['a'])
})

t.test('starts nothing for a request that is no upgrade', async (t) => {
  const lobby = await serve(t)
  t.equal((await fetch(`http://127.0.0.1:${lobby.port}/a`)).status, 426)
  t.same(lobby.started, [])
})

t.test('answers 503 with Retry-After when the start fails', async (t) => {
  const lobby = await serve(t, { maxRestarts: 1 }, () => { throw new Error('boom') })
  for (let i = 0; i < 3; i++) {
    const text = await answer(lobby.port, '/a')
    t.match(text, /^HTTP\/1.1 503 [^]*retry-after: 5/i)
    t.match(text, /FST_WS_RELAY_TARGET_NOT_ALIVE/)
  }
  t.same(lobby.started, ['a', 'a'], 'the key is refused then')
  const why = lobby.lines.map(({ msg }) => msg).filter((text) => text.includes('no connection'))
  t.same(why, [
    "no connection can be bound to '@room/a': its start has failed",
    "no connection can be bound to '@room/a': its start has failed",
    "no connection can be bound to '@room/a': it has failed too often"
  ])
})

t.test('answers 503 with Retry-After over max', async (t) => {
  const lobby = await serve(t, { max: 1 })
  await open(t, `${lobby.url}/a`)
  const text = await answer(lobby.port, '/b')
  t.match(text, /^HTTP\/1.1 503 [^]*retry-after: 5/i)
  t.match(text, /FST_PROCESS_TOO_MANY/)
  await open(t, `${lobby.url}/a`)
})

t.test('answers 503 with Retry-After when the start takes too long', async (t) => {
  const server = { upgradeTimeout: 50, closeTimeout: 50 }
  const lobby = await serve(t, {}, () => new Promise(() => {}), server)
  const text = await answer(lobby.port, '/a')
  t.match(text, /^HTTP\/1.1 503 [^]*retry-after: 5/i)
  t.match(text, /FST_WS_RELAY_UPGRADE_TIMEOUT/)
  const why = 'upgrade timed out: the process of its key did not ask for mail'
  t.ok(lobby.lines.some(({ msg }) => msg === why))
})

t.test('answers 503 for a key of an unknown kind', async (t) => {
  const app = await build(t)
  app.get('/', (request, reply) => { reply.relay('@other/x').send() })
  t.equal((await answer(await listen(app), '/')).slice(9, 12), '503')
})

t.test('leaves nothing of a client that goes while the process starts', async (t) => {
  const { promise, resolve } = deferred()
  const lobby = await serve(t, { idle: 100 }, () => promise)
  const raw = new Raw(connect(lobby.port, '127.0.0.1'))
  raw.write(handshake('/a'))
  await until(() => lobby.started.length === 1)
  const ended = once(raw.socket, 'close')
  raw.socket.destroy()
  await ended
  await until(() => lobby.app.processes.stats().upgrades.abandoned === 1)
  resolve()
  await until(() => lobby.app.processes.list().length === 0)
  t.equal(lobby.clients.size, 0)
})

t.test('closes its clients with 1001 when the server closes', async (t) => {
  const lobby = await serve(t)
  const client = await open(t, `${lobby.url}/a`)
  await until(() => lobby.clients.get('a') === 1)
  const closed = once(client, 'close')
  await lobby.app.close()
  t.equal((await closed)[0], 1001)
  t.equal(lobby.clients.get('a'), 0)
})
