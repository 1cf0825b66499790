// `reply.relay` without `send`: what handlers and hooks may do with the reply.
import { once } from 'node:events'
import t from 'tap'
import WebSocket from 'ws'
import { build, listen, open, record } from '../../helpers.js'
import { nextLap } from '../../laps.js'
import type { FastifyInstance, FastifyReply, RouteHandlerMethod } from 'fastify'
import type { Test } from 'tap'

type Handlers = Record<string, (to: string) => RouteHandlerMethod>

const handlers: Handlers = {
  'an async handler returns it': (to) => async (_, reply) => reply.relay(to),
  'an async handler returns it after a send': (to) => async (_, reply) => reply.relay(to).send(),
  'an async handler awaits it': (to) => async (_, reply) => { await reply.relay(to) },
  'an async handler awaits it and returns a value': (to) => async (_, reply) => {
    await reply.relay(to)
    return 'too late'
  },
  'an async handler returns nothing': (to) => async (_, reply) => { reply.relay(to) },
  'an async handler relays twice': (to) => async (_, reply) => {
    reply.relay('nobody')
    return reply.relay(to)
  },
  'a synchronous handler returns it': (to) => (_, reply) => reply.relay(to),
  'a synchronous handler returns it after a send': (to) => (_, reply) => reply.relay(to).send(),
  'a synchronous handler sends it': (to) => (_, reply) => { reply.relay(to).send() }
}

/** The hook runs for the reply that is refused, and for the error in its place. */
const ofError = 2

/** @returns how often the reply was sent: the calls of an `onSend` hook */
async function serve (
  t: Test, isLate: boolean, add: (app: FastifyInstance, to: string) => void
): Promise<{ url: string, sent: () => number }> {
  const app = await build(t)
  let sent = 0
  app.addHook('onSend', async () => {
    sent++
    if (isLate) await nextLap()
  })
  add(app, record(app).pid)
  return { url: `127.0.0.1:${await listen(app)}`, sent: () => sent }
}

async function echoes (t: Test, url: string): Promise<void> {
  const client = await open(t, `ws://${url}`)
  client.send('hello')
  const [data] = await once(client, 'message') as [Buffer]
  t.equal(data.toString(), 'hello')
}

for (const [what, handler] of Object.entries(handlers)) {
  for (const isLate of [false, true]) {
    const hook = isLate ? ', and a hook of the reply takes its time' : ''
    t.test(`sends a relayed reply once when ${what}${hook}`, async (t) => {
      const { url, sent } = await serve(t, isLate, (app, to) => { app.get('/', handler(to)) })
      await echoes(t, url)
      t.equal(sent(), 1)
      t.equal((await fetch(`http://${url}`)).status, 426)
      t.equal(sent(), 1 + ofError)
    })
  }
}

t.test('leaves the send to the handler when a hook relays', async (t) => {
  const { url, sent } = await serve(t, false, (app, to) => {
    const preHandler = async (_: unknown, reply: FastifyReply): Promise<void> => {
      reply.relay(to)
    }
    app.get('/', { preHandler }, (_, reply) => { setImmediate(() => { reply.send() }) })
  })
  await echoes(t, url)
  t.equal(sent(), 1)
})

t.test('sends the reply in the hook that returns it, and skips the handler', async (t) => {
  let handled = 0
  const { url, sent } = await serve(t, true, (app, to) => {
    app.addHook('onRequest', async (_, reply) => reply.relay(to))
    app.get('/', async () => { handled++ })
  })
  await echoes(t, url)
  t.equal((await fetch(`http://${url}`)).status, 426)
  t.equal(sent(), 1 + ofError)
  t.equal(handled, 0)
})

t.test('leaves the send to code that has replaced it', async (t) => {
  const { url, sent } = await serve(t, true, (app, to) => {
    app.addHook('onRequest', async (_, reply) => {
      const { send } = reply
      reply.send = function (payload) { return send.call(this, payload) }
    })
    app.get('/', async (_, reply) => reply.relay(to).send())
  })
  await echoes(t, url)
  t.equal((await fetch(`http://${url}`)).status, 426)
  t.equal(sent(), 1 + ofError)
})

t.test('does not send for a synchronous handler while an owner is asked', async (t) => {
  const { url, sent } = await serve(t, false, (app, to) => {
    const config = { wsRelay: { resume: { owner: async () => 'ada' } } } as const
    app.get('/', { config }, (_, reply) => {
      reply.relay(to)
      setImmediate(() => { reply.header('x-late', 'yes').send() })
    })
  })
  const client = new WebSocket(`ws://${url}`, ['v1.ws-relay'])
  t.teardown(() => { client.terminate() })
  const [response] = await once(client, 'upgrade') as [{ headers: Record<string, string> }]
  t.equal(response.headers['x-late'], 'yes')
  t.equal(sent(), 1)
})
