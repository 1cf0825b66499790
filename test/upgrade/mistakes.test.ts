// Handlers whose reply opens a socket, and probably not the one that was meant.
import t from 'tap'
import { bare, handshake, listen, logs, raw, record } from '../helpers.js'
import { wsRelay } from '../../lib/index.js'
import type { FastifyReply } from 'fastify'
import type { Test } from 'tap'

interface Server {
  /** Requests an upgrade, and waits for its 101. @returns the head of the response */
  upgrade (path: string, protocol?: string): Promise<string>
  /** The warnings so far. They are taken away. */
  warnings (): Array<Record<string, unknown>>
}

async function serve (
  t: Test, routes: Record<string, (reply: FastifyReply, target: string) => void>
): Promise<Server> {
  const { logger, lines } = logs('warn')
  const app = bare(t, { logger })
  await app.register(wsRelay, { resume: true })
  const { pid } = record(app)
  for (const [path, handle] of Object.entries(routes)) {
    app.get(path, (_, reply) => {
      handle(reply, pid)
      reply.send()
    })
  }
  const port = await listen(app)
  return {
    async upgrade (path, protocol) {
      const client = await raw(t, port)
      client.write(handshake(path, { 'sec-websocket-protocol': protocol }))
      return await client.until(/^HTTP\/1\.1 101 [^]*\r\n\r\n/)
    },
    warnings: () => lines.splice(0)
  }
}

t.test('warns of a misspelt field of the header, once for a route', async (t) => {
  const misspelt = { heartbeatInterval: '30s', metadata: { heartbeatInterval: 1 } }
  const { upgrade, warnings } = await serve(t, {
    '/rooms/:id': (reply, target) => { reply.relay(target, misspelt as object) },
    '/text': (reply, target) => {
      reply.header('x-ws-relay', JSON.stringify({ target_pid: target, Resume: false }))
    }
  })
  const text = 'ignored an unknown field of X-WS-Relay'
  await upgrade('/rooms/1')
  t.match(warnings(), [{
    level: 40,
    msg: text,
    route: '/rooms/:id',
    reqId: String,
    field: 'heartbeatInterval',
    expected: 'heartbeat_interval'
  }])
  await upgrade('/rooms/2')
  t.strictSame(warnings(), [])
  await upgrade('/text')
  t.match(warnings(), [{ msg: text, route: '/text', field: 'Resume', expected: 'resume' }])
})

t.test('warns of a misspelt field also where no route matched', async (t) => {
  const { logger, lines } = logs('warn')
  const app = bare(t, { logger })
  await app.register(wsRelay)
  const { pid } = record(app)
  app.setNotFoundHandler((_, reply) => {
    reply.code(200).header('x-ws-relay', { target_pid: pid, Metadata: {} }).send()
  })
  const client = await raw(t, await listen(app))
  await client.write(handshake('/somewhere')).until(/^HTTP\/1\.1 101 /)
  t.match(lines, [{ route: 'no route', field: 'Metadata', expected: 'metadata' }])
})

t.test('does not warn of correct fields, nor of fields that look like none', async (t) => {
  const config = { heartbeat_interval: '30s', metadata: {}, resume: false, version: 2, user: 'x' }
  const { upgrade, warnings } = await serve(t, {
    '/': (reply, target) => { reply.relay(target, config as object) },
    '/bare': (reply, target) => { reply.relay(target) },
    '/name': (reply, target) => { reply.header('x-ws-relay', target) }
  })
  for (const path of ['/', '/bare', '/name']) await upgrade(path)
  t.strictSame(warnings(), [])
})

t.test('warns when none of the offered subprotocols is chosen, once for a route', async (t) => {
  const { upgrade, warnings } = await serve(t, {
    '/none': (reply, target) => { reply.relay(target) },
    '/other': (reply, target) => {
      reply.header('sec-websocket-protocol', 'v2.chat')
      reply.relay(target)
    }
  })
  const msg = /^none of the offered subprotocols was chosen, so browsers close the connection/
  t.notMatch(await upgrade('/none', 'v1.chat, v3.chat'), /sec-websocket-protocol/i)
  t.match(warnings(), [{
    level: 40, msg, route: '/none', offered: 'v1.chat, v3.chat', chosen: undefined
  }])
  await upgrade('/none', 'x'.repeat(1000))
  t.strictSame(warnings(), [])
  await upgrade('/other', 'x'.repeat(1000))
  const [line] = warnings()
  t.match(line, { msg, route: '/other', chosen: 'v2.chat' })
  t.ok(String(line.offered).length < 100, 'the text of a client is cut')
})

t.test('does not warn when a subprotocol is chosen, or none is offered', async (t) => {
  const { upgrade, warnings } = await serve(t, {
    '/': (reply, target) => { reply.relay(target) },
    '/chat': (reply, target) => {
      reply.header('sec-websocket-protocol', 'v2.chat')
      reply.relay(target)
    }
  })
  await upgrade('/')
  await upgrade('/', ' ')
  await upgrade('/chat')
  await upgrade('/chat', 'v1.chat, v2.chat')
  t.match(await upgrade('/', 'v1.ws-relay, v1.chat'), /protocol: v1\.ws-relay/i)
  t.strictSame(warnings(), [])
})
