// `reply.relay` with a body: a process that lives as long as one connection.
import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import WebSocket from 'ws'
import { build, handshake, listen, logs, Raw, record, until } from '../../helpers.js'
import { Registration } from '../../../lib/registration/registration.js'
import { WireClient } from '../../integration/resume/wire-client.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'

/** A client that misses nothing: a message may arrive together with the 101. */
class Client {
  readonly socket: WebSocket
  readonly texts: string[] = []
  readonly closed: Promise<[code: number, reason: Buffer]>

  private constructor (url: string) {
    this.socket = new WebSocket(url)
    this.socket.on('message', (data: Buffer) => { this.texts.push(data.toString()) })
    this.closed = once(this.socket, 'close') as Promise<[number, Buffer]>
  }

  static async open (t: Test, url: string): Promise<Client> {
    const client = new Client(url)
    t.teardown(() => { client.socket.terminate() })
    await once(client.socket, 'open')
    return client
  }

  send (text: string): void {
    this.socket.send(text)
  }

  async got (...texts: string[]): Promise<void> {
    await until(() => this.texts.join() === texts.join())
  }
}

/** The processes that `session` has started, and what each of them has seen. */
class Sessions {
  readonly pids: Pid[] = []
  readonly topics: string[] = []

  readonly body = async (self: Process, greeting: string): Promise<void> => {
    this.pids.push(self.pid)
    await self.serve({
      'ws.join': ({ client_pid }) => {
        this.topics.push('ws.join')
        self.send(client_pid, 'ws.send', { data: greeting })
      },
      'ws.message': ({ client_pid, data }) => {
        if (data === 'stop') self.stop()
        if (data === 'crash') throw new Error('boom')
        self.send(client_pid, 'ws.send', { data: `you said ${String(data)}` })
      },
      'ws.leave': ({ cause }) => { this.topics.push(`ws.leave ${cause}`) },
      '@cancel': () => { this.topics.push('@cancel') }
    })
  }
}

function serve (app: FastifyInstance, sessions: Sessions): void {
  app.get('/', (request, reply) => {
    reply.relay(sessions.body, { args: ['hello'], metadata: { user: 'ada' } }).send()
  })
}

async function start (t: Test, options = {}): Promise<{
  app: FastifyInstance, sessions: Sessions, url: string, port: number
}> {
  const app = await build(t, options)
  const sessions = new Sessions()
  serve(app, sessions)
  const port = await listen(app)
  return { app, sessions, port, url: `ws://127.0.0.1:${port}` }
}

t.test('starts a process at the 101, and cancels it after the leave', async (t) => {
  const { app, sessions, url } = await start(t)
  const client = await Client.open(t, url)
  await client.got('hello')
  client.send('hi')
  await client.got('hello', 'you said hi')
  const [pid] = sessions.pids
  const [by] = app.processes.list().filter((one) => one !== pid)
  t.equal(app.processes.list().length, 2, 'the process and the connection')
  const exited = app.processes.exited(pid)
  client.socket.close(4000)
  t.equal((await exited).reason, 'shutdown')
  t.same(sessions.topics, ['ws.join', 'ws.leave client', '@cancel'])
  t.match(app.processes.explain(pid)!.chain, [{ cause: 'cancel', by }])
  await until(() => app.processes.list().length === 0)
})

t.test('starts one process for each connection', async (t) => {
  const { sessions, url } = await start(t)
  const clients = await Promise.all([1, 2, 3].map(() => Client.open(t, url)))
  await until(() => sessions.pids.length === 3)
  t.equal(new Set(sessions.pids).size, 3)
  for (const client of clients) client.socket.terminate()
  await until(() => sessions.topics.filter((topic) => topic === '@cancel').length === 3)
})

t.test('takes a body without arguments', async (t) => {
  const app = await build(t)
  app.get('/', async (request, reply) => reply.relay(async (self) => {
    const { payload: { client_pid: pid } } = await self.receive({ topic: 'ws.join' })
    self.send(pid, 'ws.send', { data: 'bye' })
  }))
  const client = await Client.open(t, `ws://127.0.0.1:${await listen(app)}`)
  t.equal((await client.closed)[0], 1000)
  t.same(client.texts, ['bye'])
})

for (const [text, code] of [['stop', 1000], ['crash', 1011]] as const) {
  t.test(`closes the client with ${code} when its process ends after '${text}'`, async (t) => {
    const { app, sessions, url } = await start(t)
    const client = await Client.open(t, url)
    client.send(text)
    const [seen, reason] = await client.closed
    t.equal(seen, code)
    t.equal(reason.toString(), 'target process exited')
    t.equal(app.processes.alive(sessions.pids[0]), false)
  })
}

for (const [what, body, code] of [
  ['throws', () => { throw new Error('boom') }, 1011],
  ['returns', () => {}, 1000]
] as const) {
  t.test(`closes the client with ${code} when the body ${what} before its join`, async (t) => {
    const app = await build(t)
    app.get('/', (request, reply) => { reply.relay(body).send() })
    const client = await Client.open(t, `ws://127.0.0.1:${await listen(app)}`)
    t.equal((await client.closed)[0], code)
  })
}

t.test('closes with 1011, and not as a lost node, when the process exits noconnection', async (t) => {
  const { app, sessions, url } = await start(t)
  const client = await Client.open(t, url)
  await until(() => sessions.topics.length === 1)
  app.processes.exit(sessions.pids[0], 'noconnection')
  t.equal((await client.closed)[0], 1011)
})

t.test('starts nothing for a request that is refused', async (t) => {
  const app = await build(t, { maxConnections: 1 })
  const sessions = new Sessions()
  serve(app, sessions)
  app.get('/status', (request, reply) => {
    reply.code(403).relay(sessions.body, { args: ['hello'] }).send()
  })
  app.get('/header', (request, reply) => {
    reply.header('x-bad', 'a\u0000b').relay(sessions.body, { args: ['hello'] }).send()
  })
  app.get('/park', (request, reply) => {
    const options = { args: ['hello'] as [string], on_target_exit: 'park' }
    reply.relay(sessions.body, options).send()
  })
  app.get('/long', (request, reply) => {
    reply.relay(sessions.body, { args: ['hello'], heartbeat_interval: '1ms' }).send()
  })
  const port = await listen(app)
  const ask = async (path: string): Promise<string> => {
    const raw = new Raw(connect(port, '127.0.0.1'))
    raw.write(handshake(path))
    await until(() => raw.text.includes('\r\n\r\n'))
    raw.socket.destroy()
    return raw.text.slice(9, 12)
  }
  t.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 426, 'a plain request')
  t.equal(await ask('/status'), '403')
  t.equal(await ask('/header'), '500', 'a header that cannot be sent')
  t.equal(await ask('/park'), '500', 'nobody can succeed the process')
  t.equal(await ask('/long'), '500')
  await Client.open(t, `ws://127.0.0.1:${port}`)
  t.equal(await ask('/'), '503', 'maxConnections')
  t.equal(sessions.pids.length, 1)
})

t.test('answers 503 when nothing can start', async (t) => {
  const { logger, lines } = logs()
  const app = await build(t, {}, { logger })
  const sessions = new Sessions()
  serve(app, sessions)
  await listen(app)
  const { runtime } = Registration.attachedTo(app)!.relay
  runtime.clusterAccess.joining = true
  const { port } = app.server.address() as { port: number }
  const raw = new Raw(connect(port, '127.0.0.1'))
  raw.write(handshake('/'))
  await until(() => raw.text.includes('\r\n\r\n'))
  t.match(raw.text, /^HTTP\/1.1 503 [^]*retry-after: 5/i)
  t.match(raw.text, /FST_CLUSTER_NOT_READY/)
  t.equal(sessions.pids.length, 0)
  t.ok(lines.length > 0)
  runtime.clusterAccess.joining = false
})

t.test('throws for a body whose args are no array', async (t) => {
  const app = await build(t)
  let thrown: unknown
  app.get('/', (request, reply) => {
    try {
      reply.relay(() => {}, { args: 'hello' as never })
    } catch (err) {
      thrown = err
    }
    reply.send('none')
  })
  await app.inject('/')
  t.match(thrown, { code: 'FST_PROCESS_INVALID_SPEC' })
})

t.test('cannot be asked for by a header of a handler', async (t) => {
  const app = await build(t)
  app.get('/', (request, reply) => {
    reply.header('x-ws-relay', { target_pid: '@connection' }).send()
  })
  const raw = new Raw(connect(await listen(app), '127.0.0.1'))
  raw.write(handshake('/'))
  await until(() => raw.text.includes('\r\n\r\n'))
  t.equal(raw.text.slice(9, 12), '503')
})

t.test('ignores the body when a later header replaces it', async (t) => {
  const app = await build(t)
  const target = record(app)
  const sessions = new Sessions()
  app.get('/', (request, reply) => {
    reply.relay(sessions.body, { args: ['hello'] }).relay(target.pid).send()
  })
  await Client.open(t, `ws://127.0.0.1:${await listen(app)}`)
  await target.next('ws.join')
  t.equal(sessions.pids.length, 0)
})

t.test('cancels the process when its client is transferred', async (t) => {
  const { app, sessions, url } = await start(t)
  const target = record(app)
  const client = await Client.open(t, url)
  await until(() => sessions.topics.length === 1)
  const [pid] = sessions.pids
  const connection = app.processes.list().find((each) => each !== pid && each !== target.pid)!
  const exited: Promise<Exit> = app.processes.exited(pid)
  await app.processes.call(connection, 'ws.control', { target_pid: target.pid })
  t.equal((await exited).reason, 'shutdown')
  t.same(sessions.topics, ['ws.join', 'ws.leave transfer', '@cancel'])
  client.send('to the other')
  t.match(await target.next('ws.message'), { data: 'to the other' })
})

t.test('keeps the process while a client that may resume is away', async (t) => {
  const { app, sessions, port } = await start(t, { resume: true })
  const client = new WireClient(t, { port, path: '/' })
  await client.connect()
  client.send('a')
  await client.until(() => client.received.length === 2)
  const [pid] = sessions.pids
  await client.cut()
  const connection = app.processes.list().find((each) => each !== pid)!
  await until(() => app.processes.info(connection)?.connected === false)
  t.equal(app.processes.alive(pid), true)
  t.match((await client.connect()).hello, { resumed: true })
  client.send('b')
  await client.until(() => client.received.length === 3)
  t.same(sessions.topics, ['ws.join'])
  t.equal(sessions.pids.length, 1)
  const exited = app.processes.exited(pid)
  app.processes.exit(connection)
  await exited
  t.same(sessions.topics, ['ws.join', 'ws.leave shutdown', '@cancel'])
})

t.test('lets the process handle its leave when the server closes', async (t) => {
  const { app, sessions, url } = await start(t)
  const client = await Client.open(t, url)
  await until(() => sessions.topics.length === 1)
  await app.close()
  t.equal((await client.closed)[0], 1001)
  t.same(sessions.topics, ['ws.join', 'ws.leave shutdown', '@cancel'])
})
