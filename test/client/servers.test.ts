// The client with real servers, over real sockets: those that know nothing of it, and the relay.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import fastifyWebsocket from '@fastify/websocket'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import WebSocket, { WebSocketServer, type WebSocket as ServerSocket } from 'ws'
import { connect } from '../../lib/client/index.js'
import wsRelay from '../../lib/index.js'
import type { ClientSocket, ConnectOptions, StateEvent } from '../../types/client.js'

const quick = { WebSocket, backoff: { min: 10, max: 50 } }

/** Resolves with the next event, without the greeting of a server. */
async function next (socket: ClientSocket, event: 'message' | 'reset'): Promise<unknown> {
  return await new Promise((resolve) => {
    const remove = socket.on(event, (detail) => {
      if (detail === 'welcome') return
      remove()
      resolve(detail)
    })
  })
}

async function reach (socket: ClientSocket, state: string): Promise<StateEvent> {
  return await new Promise((resolve) => {
    const remove = socket.on('state', (event) => {
      if (event.state !== state) return
      remove()
      resolve(event)
    })
  })
}

function open (t: Test, url: string, options: ConnectOptions = {}): ClientSocket {
  const socket = connect(url, { ...quick, ...options })
  t.teardown(() => { socket.close() })
  return socket
}

/** Checks a server that echoes, and whose sockets `cut` cuts. */
async function comesBack (t: Test, socket: ClientSocket, cut: () => void): Promise<void> {
  t.ok(socket.send('early'))
  t.equal(await next(socket, 'message'), 'early')
  const bytes = next(socket, 'message')
  socket.send(Uint8Array.of(1, 2, 3))
  t.strictSame(await bytes, Uint8Array.of(1, 2, 3).buffer)
  await t.rejects(socket.delivered(), { code: 'PLAIN_MODE' })
  const reset = next(socket, 'reset')
  const away = reach(socket, 'away')
  cut()
  t.match(await away, { attempt: 1, code: 1006 })
  socket.send('unsent')
  t.strictSame(await reset, { why: 'plain', unsent: ['unsent'] })
  const again = next(socket, 'message')
  socket.send('again')
  t.equal(await again, 'again')
}

t.test('comes back to a `ws` server, which echoes the offer and sends no hello', async (t) => {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => { server.close() })
  let last: ServerSocket | undefined
  server.on('connection', (socket) => {
    last = socket
    socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) })
    socket.send('welcome')
  })
  await once(server, 'listening')
  const socket = open(t, `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  const received: unknown[] = []
  socket.on('message', (data) => { received.push(data) })
  await reach(socket, 'open')
  t.equal(last!.protocol, 'v1.ws-relay')
  t.equal(socket.protocol, '')
  await comesBack(t, socket, () => { last!.terminate() })
  t.strictSame(received, ['welcome', 'early', Uint8Array.of(1, 2, 3).buffer, 'welcome', 'again'])
})

t.test('comes back to a route of @fastify/websocket', async (t) => {
  const app = Fastify()
  await app.register(fastifyWebsocket)
  let last: ServerSocket | undefined
  app.get('/ws', { websocket: true }, (socket) => {
    last = socket
    socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) })
    socket.send('welcome') // so that the client need not wait for a hello
  })
  t.teardown(() => app.close())
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const socket = open(t, `${address}/ws`)
  await comesBack(t, socket, () => { last!.terminate() })
})

async function echoRelay (t: Test): Promise<{ address: string, cut: () => void }> {
  const app = Fastify({ forceCloseConnections: true })
  await app.register(wsRelay)
  const echo = app.processes.spawn(async (self) => {
    await self.serve({
      'ws.message': ({ client_pid, data }) => { self.send(client_pid, 'ws.send', { data }) }
    })
  })
  app.get('/ws', (_request, reply) => { reply.relay(echo).send() })
  t.teardown(() => app.close())
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const cut = (): void => {
    for (const pid of app.processes.list()) {
      if (app.processes.info(pid)?.kind === 'ws') app.processes.exit(pid, 'kill')
    }
  }
  return { address, cut }
}

t.test('comes back to a relayed route without negotiation', async (t) => {
  const { address, cut } = await echoRelay(t)
  await comesBack(t, open(t, `${address}/ws`, { negotiate: false }), cut)
})

t.test('connects to a relayed route with the default options', async (t) => {
  const { address } = await echoRelay(t)
  const socket = open(t, `${address}/ws`)
  socket.send('hello')
  t.equal(await next(socket, 'message'), 'hello')
})

t.test('needs a WebSocket', async (t) => {
  if ('WebSocket' in globalThis) t.doesNotThrow(() => { connect('ws://127.0.0.1:1/').close() })
  else t.throws(() => connect('ws://127.0.0.1:1/'), { code: 'INVALID_OPTIONS' })
})
