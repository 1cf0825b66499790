// A client between its upgrade request and the response: it sends, leaves, or waits too long.
import { once } from 'node:events'
import { Readable } from 'node:stream'
import t from 'tap'
import { wsRelay } from '../../lib/index.js'
import { Registration } from '../../lib/registration/registration.js'
import { used } from '../abuse/support.js'
import {
  answer,
  bare,
  build,
  frame,
  handshake,
  listen,
  logs,
  open,
  raw,
  record,
  until
} from '../helpers.js'
import { TestClock } from '../laps.js'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Test } from 'tap'
import type { WsRelayOptions } from '../../types/relay.js'
import type { Raw, Recorder } from '../helpers.js'

interface Slow {
  app: FastifyInstance
  target: Recorder
  port: number
  /** Resolves when the handler has started. The reply is wrapped because it is a thenable. */
  begun: Promise<{ reply: FastifyReply }>
  /** Lets the handler relay and finish. */
  finish: () => void
  /** Resolves with the status in the onResponse hook. */
  responded: Promise<number>
  responses: number[]
  aborted: string[]
}

/** An application whose handler waits for `finish` and then relays. */
async function slow (t: Test, options: WsRelayOptions = {}): Promise<Slow> {
  const app = await build(t, options)
  const target = record(app)
  let begin: (begun: { reply: FastifyReply }) => void
  let finish: () => void
  let respond: (status: number) => void
  const begun = new Promise<{ reply: FastifyReply }>((resolve) => { begin = resolve })
  const finished = new Promise<void>((resolve) => { finish = resolve })
  const responded = new Promise<number>((resolve) => { respond = resolve })
  const responses: number[] = []
  const aborted: string[] = []
  app.addHook('onRequestAbort', async (_request) => { aborted.push('hook') })
  app.addHook('onResponse', async (_, reply) => {
    responses.push(reply.statusCode)
    respond(reply.statusCode)
  })
  app.get('/', async (request, reply) => {
    request.signal.addEventListener('abort', () => { aborted.push('signal') })
    begin({ reply })
    await finished
    return reply.relay(target.pid).send()
  })
  return {
    app, target, port: await listen(app), begun, finish: finish!, responded, responses, aborted
  }
}

t.test('cleans up when a client leaves during its handler', async (t) => {
  for (const leave of ['end', 'destroy', 'resetAndDestroy'] as const) {
    await t.test(leave, async (t) => {
      const { app, port, begun, finish, aborted, responses } = await slow(t)
      const client = await raw(t, port)
      client.write(handshake())
      const { reply } = await begun
      const { socket } = reply.raw
      const closed = once(reply.raw, 'close')
      client.socket[leave]()
      await closed
      t.ok(socket!.destroyed)
      t.strictSame(aborted.sort(), ['hook', 'signal'], 'the hook and the signal both fire')
      finish()
      await until(() => reply.sent)
      await new Promise(setImmediate)
      t.equal(app.processes.stats().spawned, 1, 'no connection')
      t.ok(responses.length <= 1)
      const [connections] = await new Promise<number[]>((resolve, reject) => {
        app.server.getConnections((err, count) => { if (err) reject(err); else resolve([count]) })
      })
      t.equal(connections, 0)
    })
  }
})

t.test('does not abort the request when its client leaves after the upgrade', async (t) => {
  const { target, port, finish, begun, aborted } = await slow(t)
  const client = (await raw(t, port)).write(handshake())
  await begun
  finish()
  await client.until(/\r\n\r\n/)
  client.socket.destroy()
  await target.next('ws.leave')
  t.strictSame(aborted, [])
})

t.test('does not abort the request of a refused client that reads its response', async (t) => {
  const app = await build(t)
  const aborted: unknown[] = []
  let closed = false
  app.addHook('onRequestAbort', async (_request) => { aborted.push(1) })
  app.get('/', async (request, reply) => {
    request.raw.on('aborted', () => { aborted.push(2) })
    request.raw.on('close', () => { closed = true })
    return reply.code(403).send('no')
  })
  const port = await listen(app)
  const client = await raw(t, port)
  t.match(await client.write(handshake()).end(), /\r\n\r\nno$/)
  client.socket.destroy()
  await until(() => (app.server as unknown as { _connections: number })._connections === 0)
  t.strictSame(aborted, [])
  t.ok(closed, 'the request closes, as any answered request')
})

t.test('delivers frames sent right after the handshake, in order', async (t) => {
  const { target, port, finish, begun } = await slow(t)
  const client = await raw(t, port)
  client.socket.setNoDelay(true)
  client.write(Buffer.concat([Buffer.from(handshake()), frame('1'), frame('2').subarray(0, 3)]))
  await begun
  client.write(frame('2').subarray(3))
  client.write(frame('3'))
  finish()
  for (const data of ['1', '2', '3']) t.equal((await target.next('ws.message')).data, data)
  t.strictSame(
    target.received.map(({ topic }) => topic),
    ['ws.join', 'ws.message', 'ws.message', 'ws.message']
  )
})

t.test('accepts a handshake and frames that arrive byte by byte', async (t) => {
  const { target, port, finish } = await slow(t)
  const client = await raw(t, port)
  client.socket.setNoDelay(true)
  finish()
  for (const byte of Buffer.concat([Buffer.from(handshake()), frame('one'), frame('two')])) {
    client.write(Buffer.from([byte]))
    await new Promise(setImmediate)
  }
  t.equal((await target.next('ws.message')).data, 'one')
  t.equal((await target.next('ws.message')).data, 'two')
})

t.test('pauses a client that sends a lot before its response, and loses nothing', async (t) => {
  const { target, port, finish, begun } = await slow(t)
  const client = await raw(t, port)
  client.write(handshake())
  const { reply: { raw: { socket } } } = await begun
  const count = 4000
  const lot = Buffer.concat(
    Array.from({ length: count }, (_, i) => frame(String(i).padStart(100, '.')))
  )
  client.write(lot)
  await until(() => socket!.isPaused())
  t.ok(socket!.bytesRead < 256 * 1024)
  finish()
  for (let i = 0; i < count; i++) {
    const { data } = await target.next('ws.message')
    if (Number(data.replaceAll('.', '')) !== i) t.fail(`${data} is not ${i}`)
  }
  client.write(frame('after'))
  t.equal((await target.next('ws.message')).data, 'after')
})

t.test(
  'does not reset the connection of a refused client because of its early bytes',
  async (t) => {
    const app = await build(t)
    app.get('/', async (_, reply) => reply.code(403).send('x'.repeat(100_000)))
    const port = await listen(app)
    const client = await raw(t, port)
    client.socket.pause()
    client.write(Buffer.concat([Buffer.from(handshake()), Buffer.alloc(300_000)]))
    await new Promise(setImmediate)
    client.socket.resume()
    t.match(await client.end(), /x{100000}$/)
  }
)

t.test('frees early bytes while an ordinary response is written', async (t) => {
  const clients = 100
  const app = await build(t)
  const sockets: Socket[] = []
  let refuse!: () => void
  const refused = new Promise<void>((resolve) => { refuse = resolve })
  app.get('/', async (request, reply) => {
    sockets.push(request.raw.socket)
    await refused
    const body = new Readable({ read () {} })
    body.push('first')
    return reply.code(403).send(body)
  })
  const port = await listen(app)
  const all: Raw[] = []
  for (let i = 0; i < clients; i++) all.push((await raw(t, port)).write(handshake()))
  await until(() => sockets.length === clients)
  const bytes = Buffer.alloc(60_000)
  for (const client of all) client.write(bytes)
  await until(() => sockets.every((socket) => socket.bytesRead >= bytes.length))
  const before = await used()
  refuse()
  for (const client of all) await client.until(/first/)
  const freed = before - await used()
  t.ok(freed > 4, `${freed.toFixed(1)} of 6 MB were freed`)
  for (const client of all) client.socket.destroy()
})

t.test(
  'destroys the socket of a client that does not end its side after its response',
  async (t) => {
    const app = await build(t)
    app.get('/', async (_, reply) => reply.code(403).send('no'))
    const client = await raw(t, await listen(app), true)
    await client.write(handshake()).end()
    await until(() => (app.server as unknown as { _connections: number })._connections === 0)
    t.pass()
  }
)

t.test('answers 503 and logs the cause when a handler never replies', async (t) => {
  const { logger, lines } = logs()
  const app = await build(t, { upgradeTimeout: 20, maxHandshakes: 1 }, { logger })
  let late: () => void
  app.get('/', (_, reply) => { late = () => { reply.send('late') } })
  const port = await listen(app)
  for (let i = 0; i < 2; i++) {
    const text = await answer(t, port, handshake())
    t.match(text, /^HTTP\/1\.1 503 /)
    t.match(text, /FST_WS_RELAY_UPGRADE_TIMEOUT/)
  }
  t.equal(
    lines.filter(({ msg }) =>
      /its handler did not reply\. A synchronous handler must call reply\.send\(\)/.test(msg)
    ).length,
    2
  )
  t.doesNotThrow(() => { late() }, 'a late reply is nothing')
})

t.test('extends the deadline of a handler once after a stall of the event loop', async (t) => {
  const clock = new TestClock(t)
  for (const [stalls, status] of [[1, '101'], [2, '503']] as const) {
    const { app, port, begun, finish } = await slow(t, { upgradeTimeout: 200 })
    const { deadlines } = Registration.of(app)!.relay
    const client = (await raw(t, port)).write(handshake())
    await begun
    // By now its deadline is running.
    for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate)
    for (let stall = 0; stall < stalls; stall++) {
      // The next deadline is late by the stall, and still earlier than all others.
      clock.pass(300)
      await new Promise<void>(
        (resolve) => { deadlines.schedule({ slot: undefined, due: () => { resolve() } }, 250) }
      )
    }
    finish()
    t.match(await client.until(/\r\n\r\n/), new RegExp(`^HTTP/1\\.1 ${status} `), `${stalls}`)
  }
})

t.test('answers 503 when an async handler returns a reply that it has not sent', async (t) => {
  const { logger, lines } = logs()
  const app = await build(t, { upgradeTimeout: 20 }, { logger })
  const target = app.processes.spawn(async (self) => { await self.serve({}) })
  app.get('/', async (_, reply) => reply.relay(target))
  t.match(await answer(t, await listen(app), handshake()), /^HTTP\/1\.1 503 /)
  t.match(
    lines.find(({ msg }) => /did not reply/.test(msg))?.msg,
    /so must an async one that returns the reply/
  )
})

t.test('keeps the status of the 503 when an error handler sets none', async (t) => {
  const app = await build(t, { upgradeTimeout: 20 })
  const told: unknown[] = []
  app.setErrorHandler((err: { code: string }, request, reply) => {
    told.push(request.wsUpgradable)
    reply.send({ mine: err.code })
  })
  app.get('/', (_, reply) => { reply.code(201) })
  const text = await answer(t, await listen(app), handshake())
  t.match(text, /^HTTP\/1\.1 503 [^]*\{"mine":"FST_WS_RELAY_UPGRADE_TIMEOUT"\}$/)
  t.strictSame(told, [false], 'request.wsUpgradable is false')
})

t.test(
  'answers 503 without Fastify when the handler and the error handler or a hook never end',
  async (t) => {
    const never = async (): Promise<void> => {
      await new Promise(() => {})
    }
    const cases: Record<string, (app: FastifyInstance, pid: string) => void> = {
      'an error handler': (app) => {
        app.setErrorHandler(() => {})
        app.get('/', () => {})
      },
      'an onError hook': (app) => {
        app.addHook('onError', never)
        app.get('/', async () => {
          throw new Error('boom')
        })
      },
      'an onError hook of the refusal': (app) => {
        app.addHook('onError', never)
        app.get('/', () => {})
      },
      'an onSend hook': (app, pid) => {
        app.addHook('onSend', never)
        app.get('/', async (_, reply) => reply.relay(pid).send())
      },
      'an onSend hook of an ordinary reply': (app) => {
        app.addHook('onSend', never)
        app.get('/', async () => 'hello')
      },
      'a preHandler hook': (app, pid) => {
        app.addHook('preHandler', never)
        app.get('/', async (_, reply) => reply.relay(pid).send())
      },
      'an onRequest hook before the plugin': (app, pid) => {
        app.addHook('onRequest', never)
        app.register(wsRelay, { upgradeTimeout: 20 })
        app.get('/', async (_, reply) => reply.relay(pid).send())
      },
      'a hook of a native route': (app) => {
        app.get('/', { websocket: true, preHandler: never } as object, () => {})
      },
      'a 404 handler': (app) => {
        app.setNotFoundHandler(() => {})
      },
      'a route without the relay': (app) => {
        app.get('/', { config: { wsRelay: false } }, () => {})
      }
    }
    for (const [what, set] of Object.entries(cases)) {
      await t.test(what, async (t) => {
        const isFirst = what === 'an onRequest hook before the plugin'
        const app = isFirst ? bare(t) : await build(t, { upgradeTimeout: 20 })
        const statuses: number[] = []
        app.addHook('onResponse', async (_, reply) => {
          statuses.push(reply.statusCode)
        })
        set(app, 'nobody')
        const text = await answer(t, await listen(app), handshake())
        t.match(
          text,
          /^HTTP\/1\.1 503 [^]*\r\nretry-after: \d+\r[^]*"code":"FST_WS_RELAY_UPGRADE_TIMEOUT"/
        )
        t.strictSame(statuses, [503], 'onResponse hooks run once')
      })
    }
  }
)

t.test('ignores a reply whose slow hooks end after the 503', async (t) => {
  for (const payload of [undefined, 'text', 'a stream', 'relayed'] as const) {
    await t.test(String(payload), async (t) => {
      const { logger, lines } = logs('warn')
      const app = await build(t, { upgradeTimeout: 20 }, { logger })
      const target = record(app)
      const statuses: number[] = []
      let go: () => void
      const gone = new Promise<void>((resolve) => { go = resolve })
      const body = new Readable({ read () {} })
      app.addHook('onSend', async () => { await gone })
      app.addHook('onResponse', async (_, reply) => { statuses.push(reply.statusCode) })
      app.get('/', (_, reply) => {
        if (payload === 'relayed') reply.relay(target.pid).send()
        else reply.send(payload === 'a stream' ? body : payload)
      })
      t.match(await answer(t, await listen(app), handshake()), /^HTTP\/1\.1 503 /)
      go!()
      if (payload === 'a stream') await once(body, 'close')
      for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
      t.strictSame(statuses, [503])
      t.equal(app.processes.stats().alive, 1, 'no connection was made')
      t.equal(lines[0].msg, 'upgrade timed out: the hooks of its reply did not finish')
    })
  }
})

t.test('answers 503 when a reply was hijacked and then forgotten', async (t) => {
  const { logger, lines } = logs()
  const app = await build(t, { upgradeTimeout: 20 }, { logger })
  app.get('/', (_, reply) => { reply.hijack() })
  t.match(await answer(t, await listen(app), handshake()), /^HTTP\/1\.1 503 /)
  t.ok(lines.some(({ msg }) => /hijacked the reply/.test(msg)))
})

t.test('leaves a hijacked reply alone while it is written, until its client leaves', async (t) => {
  const { logger, lines } = logs()
  const app = await build(t, { upgradeTimeout: 20 }, { logger })
  let written: FastifyReply['raw']
  app.get('/', (_, reply) => {
    written = reply.hijack().raw
    written.writeHead(200, { 'content-type': 'text/event-stream' }).write('one')
  })
  const client = await raw(t, await listen(app))
  await client.write(handshake()).until(/one/)
  await until(() => lines.some(({ msg }) => /hijacked the reply/.test(msg)))
  written!.write('two')
  await client.until(/two/)
  client.write('whatever')
  const closed = once(written!, 'close')
  client.socket.end()
  await closed
  t.pass()
})

t.test('does not cut a response that takes longer than the timeout', async (t) => {
  const app = await build(t, { upgradeTimeout: 20 })
  const body = new Readable({ read () {} })
  app.get('/', async (_, reply) => reply.code(403).send(body))
  app.get('/silent', () => {})
  const port = await listen(app)
  const client = (await raw(t, port)).write(handshake())
  body.push('first')
  await client.until(/first/)
  await answer(t, port, handshake('/silent'))
  body.push('last')
  body.push(null)
  t.match(await client.end(), /last/)
})

t.test('no longer counts a handshake for maxHandshakes once it is answered', async (t) => {
  const app = await build(t, { maxHandshakes: 1 })
  const body = new Readable({ read () {} })
  app.get('/', async (_, reply) => reply.code(403).send(body))
  app.get('/other', async (_, reply) => reply.code(401).send())
  const port = await listen(app)
  const client = (await raw(t, port)).write(handshake())
  body.push('first')
  await client.until(/first/)
  t.match(await answer(t, port, handshake('/other')), /^HTTP\/1\.1 401 /)
  body.push(null)
  await client.end()
})

t.test('ends an ordinary response when its client leaves', async (t) => {
  for (const upgrade of ['websocket', 'h2c']) {
    const app = await build(t)
    const body = new Readable({ read () {} })
    app.get('/', async (_, reply) => reply.code(403).send(body))
    body.push('first')
    body.on('error', () => {})
    const client = await raw(t, await listen(app))
    await client.write(handshake('/', { upgrade })).until(/first/)
    client.write(Buffer.alloc(500_000))
    const closed = once(body, 'close')
    client.socket.end()
    await closed
    t.ok(body.destroyed, upgrade)
  }
})

t.test('notices that the client of a route outside the scope leaves', async (t) => {
  const app = bare(t)
  await app.register(async (scope) => { await scope.register(wsRelay, { upgradeTimeout: '1h' }) })
  const body = new Readable({ read () {} })
  app.get('/outside', async () => body)
  body.push('first')
  body.on('error', () => {})
  const client = await raw(t, await listen(app))
  await client.write(handshake('/outside')).until(/first/)
  // The FIN comes after more bytes than the server keeps: it must drop them to see the FIN.
  client.write(Buffer.alloc(500_000))
  const closed = once(body, 'close')
  client.socket.end()
  await closed
  t.ok(body.destroyed)
})

t.test('leaves no pending handshake after a complete upgrade', async (t) => {
  const app = await build(t)
  const target = record(app)
  app.get('/', async (_, reply) => { reply.relay(target.pid) })
  const client = await open(t, `ws://127.0.0.1:${await listen(app)}/`)
  client.send('hello')
  t.equal(String((await once(client, 'message'))[0]), 'hello')
  client.close(1000)
  await once(client, 'close')
  await until(() => (app.server as unknown as { _connections: number })._connections === 0)
  t.equal(app.processes.stats().alive, 1)
})

t.test('answers at once when a handler closes the server and never replies', async (t) => {
  const app = await build(t, { upgradeTimeout: '1h' })
  app.get('/', () => { app.close().catch(() => {}) })
  const text = await answer(t, await listen(app), handshake())
  t.match(text, /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_CLOSING/)
})

t.test('relays early frames when the handler replies at once', async (t) => {
  const app = await build(t, { maxHandshakes: 1 })
  const target = record(app)
  app.get('/', (_, reply) => { reply.relay(target.pid).send() })
  const port = await listen(app)
  for (let i = 0; i < 3; i++) {
    const client = await raw(t, port)
    client.write(Buffer.concat([Buffer.from(handshake()), frame(String(i))]))
    await client.until(/101 Switching/)
    t.equal((await target.next('ws.message')).data, String(i))
  }
})
