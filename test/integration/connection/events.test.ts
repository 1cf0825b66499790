// A history over real sockets: each event once, in order, with its fields.
import { once } from 'node:events'
import t from 'tap'
import WebSocket from 'ws'
import { recordEvents } from '../../events.js'
import { build, listen, open, record, until } from '../../helpers.js'
import type { Test } from 'tap'
import type { ConnectionClosed } from '../../../types/events.js'

/** Opens a client whose target is a recorder. The events are those of its connection. */
async function connected (t: Test, node: string) {
  const events = recordEvents(t, node, 'connection')
  const app = await build(t, { node })
  const target = record(app)
  app.get('/', (_, reply) => { reply.relay(target.pid, { metadata: { secret: 1 } }).send() })
  const url = `ws://127.0.0.1:${await listen(app)}/`
  const client = await open(t, url)
  const { client_pid: pid } = await target.next('ws.join')
  return { app, target, client, pid, url, events }
}

t.test('tells the life of a connection in order, from the upgrade to the close', async (t) => {
  const node = 'history'
  const events = recordEvents(t, node, 'upgrade', 'connection', 'process')
  const app = await build(t, { node, allowedOrigins: 'https://app.example.com' })
  const bot = record(app, 'bot')
  const human = record(app, 'human')
  app.get('/', async (request, reply) => {
    const { token } = request.query as { token?: string }
    if (token === undefined) return reply.code(401).send('who?')
    return reply.relay('bot', { metadata: { token } }).send()
  })
  const url = `ws://127.0.0.1:${await listen(app)}/`
  for (const [path, headers] of [
    ['', {}], ['?token=1', { origin: 'https://evil.example' }]
  ] as const) {
    await t.rejects(open(t, url + path, { headers }))
  }
  const client = await open(t, `${url}?token=1`)
  const { client_pid: pid } = await bot.next('ws.join')
  client.send('hello')
  await bot.next('ws.message')
  await app.processes.call(pid, 'ws.control', { target_pid: 'human' })
  await human.next('ws.join')
  const closed = once(client, 'close')
  app.processes.exit(human.pid, 'boom')
  t.equal((await closed)[0], 1011)
  const { uptime } = events.at(-1) as ConnectionClosed
  t.ok(uptime >= 0)
  const common = { node, at: 0 }
  const recorder = { ...common, kind: 'process', label: 'recorder' }
  t.strictSame(events.map((event) => ({
    ...event, at: 0, ...event.type === 'exit' && { uptime: 0 }
  })), [
    { type: 'spawn', ...recorder, pid: bot.pid, name: 'bot' },
    { type: 'spawn', ...recorder, pid: human.pid, name: 'human' },
    { type: 'refused', ...common, reason: 'application', status: 401 },
    { type: 'refused', ...common, reason: 'origin', status: 403 },
    { type: 'accepted', ...common, pid, target: bot.pid },
    { type: 'open', ...common, pid, target: bot.pid },
    { type: 'transfer', ...common, pid, from: bot.pid, target: human.pid },
    {
      type: 'exit',
      ...recorder,
      pid: human.pid,
      names: ['human'],
      reason: 'boom',
      error: undefined,
      uptime: 0
    },
    {
      type: 'close',
      ...common,
      pid,
      target: human.pid,
      cause: 'target',
      code: 1011,
      reason: 'target process exited',
      uptime
    }
  ])
})

t.test('tells the reason of a client to those only who ask for it by name', async (t) => {
  const { client, events } = await connected(t, 'client')
  client.close(4001, 'secret text')
  await until(() => events.length === 2)
  const close = events[1] as ConnectionClosed
  t.match(close, { cause: 'client', code: 4001, reason: 'client closed' })
  t.equal(close.clientReason, 'secret text')
  t.notMatch(JSON.stringify(close), 'secret')
  t.notMatch(Object.keys({ ...close }), ['clientReason'])
})

const ends: Array<[
  what: string,
  expected: Partial<ConnectionClosed>,
  end: (on: Awaited<ReturnType<typeof connected>>) => unknown
]> = [
  ['the client is lost', { cause: 'lost', code: undefined }, ({ client }) => {
    client.terminate()
  }],
  ['a process closes it', { cause: 'process', code: 4000, reason: 'bye' }, ({ app, pid }) => {
    app.processes.send(pid, 'ws.close', { code: 4000, reason: 'bye' })
  }],
  ['it is killed', { cause: 'killed', code: undefined, reason: 'killed' }, ({ app, pid }) => {
    app.processes.exit(pid, 'kill')
  }],
  ['the server closes', { cause: 'shutdown', code: 1001 }, ({ app }) => app.close()]
]

for (const [what, expected, end] of ends) {
  t.test(`tells once of a connection that closes, with its cause: ${what}`, async (t) => {
    const on = await connected(t, `end-${what.replaceAll(' ', '-')}`)
    await end(on)
    if (on.client.readyState !== WebSocket.CLOSED) await once(on.client, 'close')
    await until(() => on.events.length >= 2)
    await on.app.close()
    t.match(on.events, [
      { type: 'open', pid: on.pid, target: on.target.pid },
      { type: 'close', pid: on.pid, target: on.target.pid, ...expected }
    ])
    t.equal(on.events.length, 2)
    t.notOk('clientReason' in on.events[1])
  })
}

t.test('does not tell of a transfer to the same target', async (t) => {
  const { app, target, pid, events } = await connected(t, 'same')
  await app.processes.call(pid, 'ws.control', { target_pid: target.pid, metadata: { new: true } })
  t.equal(events.length, 1)
})
