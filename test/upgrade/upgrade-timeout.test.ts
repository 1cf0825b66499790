// `upgradeTimeout`: handlers and hooks that never end, and responses that it does not cut.
import { once } from 'node:events'
import { Readable } from 'node:stream'
import t from 'tap'
import { wsRelay } from '../../lib/index.js'
import { Registration } from '../../lib/registration/registration.js'
import { answer, bare, build, handshake, listen, logs, raw, record, until } from '../helpers.js'
import { TestClock } from '../laps.js'
import { slow } from './support.js'
import type { FastifyInstance, FastifyReply } from 'fastify'

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
  app.get('/', async (_, reply) => reply.header('x-ws-relay', target))
  t.match(await answer(t, await listen(app), handshake()), /^HTTP\/1\.1 503 /)
  t.match(
    lines.find(({ msg }) => /did not reply/.test(msg))?.msg,
    /so must an async one that returns the reply/
  )
})

t.test('keeps the status of the 503 when an error handler sets none', async (t) => {
  const app = await build(t, { upgradeTimeout: 20 })
  const upgradable: unknown[] = []
  app.setErrorHandler((err: { code: string }, request, reply) => {
    upgradable.push(request.wsUpgradable)
    reply.send({ mine: err.code })
  })
  app.get('/', (_, reply) => { reply.code(201) })
  const text = await answer(t, await listen(app), handshake())
  t.match(text, /^HTTP\/1\.1 503 [^]*\{"mine":"FST_WS_RELAY_UPGRADE_TIMEOUT"\}$/)
  t.strictSame(upgradable, [false], 'request.wsUpgradable is false')
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
