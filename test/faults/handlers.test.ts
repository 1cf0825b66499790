// Handlers that break the rules: they throw, hang, or reply twice. After a 101 the client receives
// only frames.
import t from 'tap'
import { Keeper, start, textOf } from '../integration/connection/support.js'
import { Peer } from '../integration/connection/peer.js'
import { answer, handshake, logs, raw, until } from '../helpers.js'
import { held, letsGo } from '../abuse/support.js'
import type { FastifyReply, FastifyRequest } from 'fastify'

type Handler = (reply: FastifyReply, request: FastifyRequest) => unknown

/** Actions after the reply that was upgraded, in the same turn or in a later one. */
const more: Record<string, Handler> = {
  'replies again': (reply) => reply.send('again'),
  'replies again with another status': (reply) => reply.code(500).send('again'),
  'relays again': (reply) => reply.relay('other').send(),
  redirects: (reply) => reply.redirect('/elsewhere'),
  'says that there is no route': (reply) => { reply.callNotFound() },
  hijacks: (reply) => reply.hijack(),
  throws: () => { throw new Error('secret') },
  'sends an error': (reply) => reply.send(new Error('secret')),
  'sets headers': (reply) => reply.header('x-late', '1').header('x-ws-relay', 'other'),
  'writes a head': (reply) => reply.raw.writeHead(200, { 'x-late': '1' }),
  'writes a body': (reply) => reply.raw.write('secret'),
  'ends the response': (reply) => reply.raw.end('secret'),
  'writes head, body and end': (reply) => reply.raw.writeHead(200).end('secret'),
  'flushes the headers': (reply) => { reply.raw.flushHeaders() },
  'asks for another timeout': (reply) => reply.raw.setTimeout(1),
  'destroys the response': (reply) => reply.raw.destroy(),
  'emits what it should not': (reply) => reply.raw.emit('finish')
}

t.test('sends only frames when a handler continues after its reply', async (t) => {
  for (const [when, wait] of Object.entries({
    'in the same turn': undefined,
    'in a later turn': () => new Promise<void>((resolve) => setImmediate(resolve)),
    'in a microtask': () => Promise.resolve()
  })) {
    for (const [does, then] of Object.entries(more)) {
      await t.test(`${does}, ${when}`, async (t) => {
        let over = (): void => {}
        const done = new Promise<void>((resolve) => { over = resolve })
        const rig = await start(t, {}, { logger: logs('fatal').logger }, (app) => {
          app.get('/misbehaves', wait === undefined
            ? (request, reply) => {
                reply.relay('target').send()
                over()
                then(reply, request)
              }
            : async (request, reply) => {
              reply.relay('target').send()
              await wait()
              over()
              await then(reply, request)
              return reply
            })
        })
        const target = new Keeper(rig)
        rig.processes.names.register('target', target.pid)
        rig.processes.names.register('other', new Keeper(rig).pid)
        const before = held(rig)
        const { socket } = await raw(t, rig.port)
        socket.removeAllListeners('data')
        const peer = new Peer(socket)
        const opened = peer.open()
        peer.write(Buffer.from(handshake('/misbehaves')), textOf('hello'))
        await opened
        await done
        const [{ client_pid: pid }] = await target.until('ws.join')
        await target.until('ws.message')
        rig.processes.send(pid, 'ws.send', { data: 'hello' })
        await until(() => peer.frames.length > 0)
        peer.close(1000)
        t.match(await peer.end(), { code: 1000 })
        t.strictSame(
          peer.frames.map(({ opcode, payload }) => `${opcode} ${payload.toString('latin1')}`),
          ['1 hello', '8 \x03\xe8']
        )
        t.match(await target.until('ws.leave'), [{ cause: 'client' }])
        await letsGo(rig, before)
        t.equal(rig.processes.stats().spawned, 3, 'one connection')
      })
    }
  }
})

const boom = (): Error => new Error('boom')

t.test('answers for a handler that fails', async (t) => {
  const rows: Array<[what: string, handler: Handler, status: number]> = [
    [
      'throws',
      () => {
        throw boom()
      },
      500
    ],
    [
      'throws a string',
      () => {
        // eslint-disable-next-line no-throw-literal
        throw 'boom' as unknown as Error
      },
      500
    ],
    [
      'throws null',
      () => {
        // eslint-disable-next-line no-throw-literal
        throw null as unknown as Error
      },
      500
    ],
    [
      'throws a frozen error',
      () => {
        throw Object.freeze(boom())
      },
      500
    ],
    [
      'throws an error with a status',
      () => {
        throw Object.assign(boom(), { statusCode: 418 })
      },
      418
    ],
    [
      'throws an error with headers',
      () => {
        throw Object.assign(boom(), { headers: { 'x-ws-relay': 'target' } })
      },
      500
    ],
    [
      'relays, then throws',
      (reply) => {
        reply.relay('target')
        throw boom()
      },
      500
    ],
    [
      'rejects',
      async () => {
        throw boom()
      },
      500
    ],
    [
      'relays, then rejects',
      async (reply) => {
        reply.relay('target')
        throw boom()
      },
      500
    ],
    [
      'rejects in a later turn',
      async () => {
        await new Promise(setImmediate)
        throw boom()
      },
      500
    ],
    ['sends an error', (reply) => reply.relay('target').send(boom()), 500],
    ['relays to itself', (reply) => reply.relay('').send(), 500],
    ['relays to nobody', (reply) => reply.relay('nobody').send(), 503],
    ['never replies', () => {}, 503],
    [
      'never settles',
      async () => {
        await new Promise(() => {})
      },
      503
    ],
    [
      'relays, and never settles',
      async (reply) => {
        reply.relay('target')
        await new Promise(() => {})
      },
      503
    ],
    ['returns what never settles', () => ({ then () {} }), 503]
  ]
  const rig = await start(t, { upgradeTimeout: 1000 }, { logger: logs('fatal').logger }, (app) => {
    rows.forEach(([, handler], i) => {
      app.get(`/${i}`, (request, reply) => handler(reply, request) as never)
    })
  })
  const target = new Keeper(rig)
  rig.processes.names.register('target', target.pid)
  const before = held(rig)
  // All of them at once, because those that never reply wait for the same timeout.
  await Promise.all(rows.map(async ([what, , status], i) => {
    const text = await answer(t, rig.port, handshake(`/${i}`))
    t.match(text, new RegExp(`^HTTP/1\\.1 ${status} `), what)
    t.notMatch(text, /x-ws-relay/i, `${what}: no relay header`)
  }))
  t.equal(rig.processes.stats().spawned, 1, 'no connection')
  await letsGo(rig, before)
})
