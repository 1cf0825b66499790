// The hooks of a resume, `owner`, limits, and the field `resume` of the header.
import t from 'tap'
import { bare, build, listen, logs, record, until } from '../../helpers.js'
import { wsRelay } from '../../../lib/index.js'
import { WireClient } from './wire-client.js'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Pid } from '../../../types/pid.js'

/** Connects, and lets the target have a message, so that the session can be resumed. */
async function established (t: Test, port: number, user = 'ada'): Promise<WireClient> {
  const client = new WireClient(t, { port, headers: { 'x-user': user } })
  await client.connect()
  client.send('a')
  await client.until(() => client.received.length === 1)
  return client
}

async function away (app: FastifyInstance, pid: Pid): Promise<void> {
  await until(() => app.processes.info(pid)?.connected === false)
}

t.test('runs all hooks for each socket, and the handler once', async (t) => {
  const app = await build(t, { resume: true })
  const target = record(app)
  const log: string[] = []
  let allowed = true
  app.addHook('preHandler', async (request, reply) => {
    log.push('preHandler')
    if (!allowed) return reply.code(401).send({ error: 'who are you' })
  })
  app.get('/ws', (request, reply) => {
    log.push('handler')
    reply.relay(target.pid).send()
  })
  app.addHook('onSend', async (request, reply) => {
    log.push('onSend')
    reply.header('x-seen', 'yes')
  })
  app.addHook('onResponse', async (request, reply) => { log.push(`${reply.statusCode}`) })
  const port = await listen(app)
  const client = await established(t, port)
  const { client_pid: pid } = await target.next('ws.join')
  t.same(log.splice(0), ['preHandler', 'handler', 'onSend', '101'])
  await client.cut()
  await away(app, pid)

  allowed = false
  const refused = await client.connect()
  t.equal(refused.status, 401)
  t.equal(app.processes.info(pid)?.connected, false, 'the session is unharmed')
  t.same(log.splice(0), ['preHandler', 'onSend', '401'])

  allowed = true
  const wire = await client.connect()
  t.match(wire.hello, { resumed: true })
  t.equal(wire.header('x-seen'), 'yes')
  t.same(log.splice(0), ['preHandler', 'onSend', '101'])
})

for (const [name, owner] of [
  ['a function', (request: any) => request.headers['x-user']],
  ['an async function', async (request: any) => request.headers['x-user']]
] as const) {
  t.test(`resumes for the same owner only, named by ${name}`, async (t) => {
    const app = await build(t, { resume: { owner } })
    const target = record(app)
    app.get('/sync', (request, reply) => { reply.relay(target.pid).send() })
    app.get('/async', async (request, reply) => reply.relay(target.pid).send())
    app.get('/late', (request, reply) => { setImmediate(() => reply.relay(target.pid).send()) })
    app.get('/value', async (request, reply) => {
      reply.relay(target.pid)
      return 'a body'
    })
    const port = await listen(app)
    for (const path of ['/sync', '/async', '/late', '/value']) {
      const client = new WireClient(t, { port, path, headers: { 'x-user': 'ada' } })
      await client.connect()
      const { client_pid: pid } = await target.next('ws.join')
      client.ack()
      const thief = new WireClient(t, { port, path, headers: { 'x-user': 'eve' } })
      const { token } = client
      t.match((await thief.connect({ token, received: 0 })).hello, {
        resumed: false, why: 'refused'
      })
      t.not((await target.next('ws.join')).client_pid, pid)
      t.match((await client.connect()).hello, { resumed: true })
    }
  })
}

t.test('cannot resume when `owner` failed', async (t) => {
  const { logger, lines } = logs('error')
  const app = bare(t, { logger })
  let problem: (() => any) | undefined
  const owner = (): any => problem === undefined ? 'ada' : problem()
  await app.register(wsRelay, { resume: { owner } })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const port = await listen(app)
  const problems = [
    () => { throw new Error('no session') },
    async () => { throw new Error('no database') },
    () => 42
  ]
  for (problem of problems) {
    const client = new WireClient(t, { port })
    t.match((await client.connect()).hello, { window: 0 })
  }
  t.same(lines.map(({ msg, err }) => [msg, err.message]), [
    ["the option 'owner' failed", 'no session'],
    ["the option 'owner' failed", 'no database'],
    ["the option 'owner' failed", "expected a string or undefined, got '42'"]
  ])

  problem = undefined
  const client = await established(t, port)
  problem = problems[0]
  t.match((await client.connect()).hello, { resumed: false, why: 'refused', window: 0 })
})

t.test('asks no owner for a plain client', async (t) => {
  let asked = 0
  const app = await build(t, { resume: { owner: () => { asked++; return 'ada' } } })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  await app.inject('/ws')
  const ws = await app.injectWS('/ws')
  await target.next('ws.join')
  ws.terminate()
  t.equal(asked, 0)
})

t.test('refuses the second of two resumes at the same time', async (t) => {
  const app = await build(t, { resume: true })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const holds: Array<Promise<void>> = []
  let held = 0
  app.addHook('onSend', async () => {
    held++
    await holds[0]
  })
  const port = await listen(app)
  const client = await established(t, port)
  await client.cut()
  let release!: () => void
  holds.push(new Promise((resolve) => { release = resolve }))
  const { token } = client
  const second = new WireClient(t, { port })
  const all = [client.connect(), second.connect({ token, received: 1 })]
  await until(() => held === 3)
  release()
  const [one, two] = await Promise.all(all)
  const why = [one.hello, two.hello].map((hello) => hello!.resumed ? 'resumed' : hello!.why)
  t.same(why.sort(), ['refused', 'resumed'])
})

for (const [place, options] of [
  ['a hook before the handler', (hold: () => Promise<void>) => ({ preHandler: hold })],
  ['`owner`', (hold: () => Promise<void>) => ({
    config: { wsRelay: { resume: { owner: async () => { await hold(); return 'ada' } } } }
  })]
] as const) {
  t.test(`refuses the second of two resumes that wait together in ${place}`, async (t) => {
    const app = await build(t, { resume: true })
    const target = record(app)
    const waiting: Array<() => void> = []
    let holds = false
    const hold = async (): Promise<void> => {
      if (holds) await new Promise<void>((resolve) => { waiting.push(resolve) })
    }
    app.get('/ws', options(hold), (request, reply) => { reply.relay(target.pid).send() })
    const port = await listen(app)
    const client = await established(t, port)
    await client.cut()
    holds = true
    const { token } = client
    const second = new WireClient(t, { port })
    const all = [client.connect(), second.connect({ token, received: 1 })]
    await until(() => waiting.length === 2)
    for (const release of waiting) release()
    const [one, two] = await Promise.all(all)
    const winner = one.hello!.resumed ? one : two
    t.equal(winner.hello!.resumed, true)
    t.match((winner === one ? two : one).hello, { resumed: false, why: 'refused' })

    holds = false
    const third = new WireClient(t, { port })
    const later = await third.connect({ token, received: 1 })
    t.match(later.hello, { resumed: true }, 'a hello that was lost: the token is still good')
    await winner.closed()
  })
}

t.test('answers with 503 when the session ends while the hooks of the reply run', async (t) => {
  const app = await build(t, { resume: true })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  let onSend = async (): Promise<void> => {}
  app.addHook('onSend', async () => { await onSend() })
  const port = await listen(app)
  const client = await established(t, port)
  const { client_pid: pid } = await target.next('ws.join')
  onSend = async () => { app.processes.exit(pid, 'kill') }
  const wire = await client.connect()
  t.equal(wire.status, 503)
  t.equal(wire.header('retry-after'), '5')
})

t.test('leaves the session unharmed when a header of its 101 cannot be sent', async (t) => {
  const app = await build(t, { resume: true })
  const target = record(app)
  let value = 'a'
  app.addHook('onSend', async (request, reply) => { reply.header('x-seen', value) })
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const client = await established(t, await listen(app))
  const { client_pid: pid } = await target.next('ws.join')
  await client.cut()
  await away(app, pid)
  value = 'a\nb'
  t.equal((await client.connect()).status, 500)
  t.equal(app.processes.info(pid)?.connected, false)
  value = 'a'
  t.match((await client.connect()).hello, { resumed: true })
})

t.test('does not count a client that comes back for `maxConnections`', async (t) => {
  const app = await build(t, { resume: true, maxConnections: 1 })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const port = await listen(app)
  const client = await established(t, port)
  const { client_pid: pid } = await target.next('ws.join')
  t.match((await client.connect()).hello, { resumed: true }, 'with the old socket open')
  client.ack()
  await client.cut()
  await away(app, pid)
  t.equal((await new WireClient(t, { port }).connect()).status, 503, 'it counts while away')
  const { token } = client
  t.equal((await client.connect({ token: 'nonsense' })).status, 503)
  t.match((await client.connect({ token })).hello, { resumed: true })
})

t.test('takes the field `resume` of the header', async (t) => {
  const { logger, lines } = logs('error')
  const app = bare(t, { logger })
  await app.register(wsRelay, { resume: { window: '10s' } })
  const target = record(app)
  app.get<{ Params: { resume: string } }>('/ws/:resume', (request, reply) => {
    reply.relay(target.pid, { resume: JSON.parse(request.params.resume) }).send()
  })
  app.get('/off', { config: { wsRelay: { resume: false } } }, (request, reply) => {
    reply.relay(target.pid, { resume: 1000 }).send()
  })
  const port = await listen(app)
  for (const [value, window] of [
    ['true', 10_000], ['false', 0], ['2000', 2000], ['"5s"', 5000], ['10000', 10_000]
  ] as const) {
    const path = `/ws/${encodeURIComponent(value)}`
    t.match((await new WireClient(t, { port, path }).connect()).hello, { window })
  }
  for (const path of ['/ws/10001', '/ws/999', '/ws/null', '/off']) {
    t.equal((await new WireClient(t, { port, path }).connect()).status, 500, path)
  }
  const invalid = lines.map(({ msg }) => msg).filter((msg: string) => msg.startsWith('invalid'))
  t.same(invalid, [
    'invalid X-WS-Relay header: resume: expected at most 10000 ms, as its route allows',
    "invalid X-WS-Relay header: resume: Invalid duration '999': expected 1000 to 2147483647 ms " +
      '(24.8 days)',
    'invalid X-WS-Relay header: resume: expected a boolean, milliseconds, or a string of at most ' +
      '64 characters, got null',
    'invalid X-WS-Relay header: resume: expected at most 0 ms, as its route allows'
  ])
})
