// docs/relay.md, "Targets on other nodes": upgrades, which ask the target before the 101.
import t from 'tap'
import { Keeper, allGone, joined, nothing, remains, start, textOf } from '../support.js'
import { connectTo } from '../peer.js'
import { wsRelay } from '../../../../lib/index.js'
import { Registration } from '../../../../lib/registration/registration.js'
import { answer, bare, handshake, listen, logs, raw, until } from '../../../helpers.js'
import { settle } from '../../../process/helpers.js'
import { pair } from './pair.js'

const query = (target: string): string => `/?relay=${encodeURIComponent(target)}`

t.test('asks a remote target before the 101', async t => {
  const { wire, rig, other } = await pair(t)
  const { pid } = new Keeper(other)
  wire.hold()
  const client = await raw(t, rig.port)
  client.write(handshake(query(pid)))
  await until(() => rig.relay.handshakes.size === 1)
  // The handler and its hooks have run when a later plain request was answered.
  await answer(t, rig.port, 'GET /up HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  t.equal(client.text, '')
  wire.release()
  t.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 101/)
})

t.test('delivers messages that arrive while the remote target is being asked', async t => {
  const { wire, rig, other } = await pair(t)
  const target = new Keeper(other)
  wire.hold()
  const opened = connectTo(
    t,
    rig,
    { target_pid: target.pid },
    { early: Buffer.from(textOf('early')) }
  )
  await until(() => rig.relay.handshakes.size === 1)
  wire.release()
  await opened
  t.match(await target.until('ws.message'), [{ data: 'early' }])
  t.equal(target.topics[0], 'ws.join')
})

t.test('refuses a remote target that takes no connections like a local one', async t => {
  const { logger, lines } = logs('warn')
  const { wire, rig, other } = await pair(t, {}, { logger } as never)
  const stopping = other.processes.spawn(async (self) => {
    await self.serve({}, () => {})
    await new Promise(() => {})
  })
  await settle()
  other.processes.cancel(stopping)
  const table: Array<[target: string, status: number, code: string, problem: RegExp]> = [
    ['9@b.abc', 503, 'TARGET_NOT_ALIVE', /it is not alive/],
    [stopping, 503, 'TARGET_NOT_ALIVE', /it is stopping/],
    ['9@nowhere.abc', 503, 'TARGET_NOT_ALIVE', /its node cannot be reached/]
  ]
  for (const [target, status, code, problem] of table) {
    lines.length = 0
    const text = await answer(t, rig.port, handshake(query(target)))
    t.ok(text.startsWith(`HTTP/1.1 ${status}`) && text.includes(`FST_WS_RELAY_${code}`), text)
    t.ok(lines.some(({ msg }) => problem.test(msg)), String(problem))
  }
  other.processes.exit(stopping)
  await allGone(rig)
  t.equal(wire.sideOf('1@a.x')?.size, 0)
})

t.test('answers 500 when the target is a remote connection', async t => {
  const { wire, rig } = await pair(t)
  const third = await start(t, { node: 'c' })
  wire.join(third.relay.runtime)
  const { pid } = await joined(t, third)
  t.match(
    await answer(t, rig.port, handshake(query(pid))),
    /^HTTP\/1\.1 500.*FST_WS_RELAY_INVALID_CONFIG/s
  )
})

t.test('accepts an async handler that returns before the target has answered', async t => {
  const { wire, rig, other } = await pair(t)
  const target = new Keeper(other)
  const app = bare(t)
  await app.register(wsRelay, { node: 'async' })
  wire.join(Registration.of(app)!.relay.runtime)
  app.get('/nothing', async (request, reply) => { reply.relay(target.pid).send() })
  app.get('/later', async (request, reply) => {
    // From here on Fastify waits for the promise of the handler.
    await settle()
    return reply.relay(target.pid).send()
  })
  app.get('/reply', async (request, reply) => await reply.relay(target.pid).send())
  app.get('/value', async (request, reply) => {
    reply.relay(target.pid)
    return { any: 'body' }
  })
  const port = await listen(app)
  for (const path of ['/nothing', '/later', '/reply', '/value']) {
    wire.hold()
    const client = await raw(t, port)
    client.write(handshake(path))
    await until(() => Registration.of(app)!.relay.handshakes.size === 1)
    await settle()
    wire.release()
    t.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 101/, path)
  }
  await target.until('ws.join', 4)
  t.equal(rig.relay.connections.size, 0)
})

t.test('leaves nothing of a client that disconnects while the target is being asked', async t => {
  const { wire, rig, other } = await pair(t)
  const target = new Keeper(other)
  const relations = other.runtime.relations.size
  wire.hold()
  const client = await raw(t, rig.port)
  client.write(handshake(query(target.pid)))
  await until(() => rig.relay.handshakes.size === 1)
  client.socket.destroy()
  await until(() => rig.relay.handshakes.size === 0)
  wire.release()
  await until(() => wire.sideOf('1@a.x')?.size === 0 && other.runtime.relations.size === relations)
  await settle()
  t.strictSame(remains(rig), nothing)
  t.strictSame(target.topics, [])
  t.equal(other.runtime.relations.size, relations)
})

t.test(
  'opens no connection when the socket was destroyed without an event before the answer',
  async (t) => {
    const { wire, rig, other } = await pair(t)
    const target = new Keeper(other)
    const relations = other.runtime.relations.size
    const side = wire.sideOf('1@a.x')!
    const { bind } = side
    side.bind = async (...question) => {
      const bound = await bind.apply(side, question)
      for (const { socket } of rig.relay.handshakes) socket.destroy()
      return bound
    }
    t.equal(await answer(t, rig.port, handshake(query(target.pid))), '')
    await allGone(rig)
    await until(() => side.size === 0 && other.runtime.relations.size === relations)
    t.strictSame(target.topics, [])
  }
)

t.test('answers 503 when the target does not answer within upgradeTimeout', async t => {
  const { logger, lines } = logs('warn')
  const { wire, rig, other } = await pair(t, { upgradeTimeout: 50 }, { logger } as never)
  const target = new Keeper(other)
  wire.hold()
  const text = await answer(t, rig.port, handshake(query(target.pid)))
  t.match(text, /^HTTP\/1\.1 503.*retry-after: 5.*FST_WS_RELAY_UPGRADE_TIMEOUT/si)
  t.ok(lines.some(({ msg }) => /remote node of the target did not answer/.test(msg)))
  wire.release()
  await until(() => wire.sideOf('1@a.x')?.size === 0)
  await allGone(rig)
  t.strictSame(target.topics, [])
})

t.test('refuses pending upgrades when the server closes', async t => {
  const { wire, rig, other } = await pair(t)
  const target = new Keeper(other)
  wire.hold()
  const client = await raw(t, rig.port)
  client.write(handshake(query(target.pid)))
  await until(() => rig.relay.handshakes.size === 1)
  const closed = rig.app.close()
  t.match(await client.end(), /^HTTP\/1\.1 503.*FST_WS_RELAY_CLOSING/s)
  wire.release()
  await closed
  await until(() => wire.sideOf('1@a.x')?.size === 0)
})

t.test('asks the remote target of a reply that was not made by a handler, too', async t => {
  const { wire, rig, other } = await pair(t, {}, {})
  const target = new Keeper(other)
  const early = bare(t)
  early.addHook(
    'onRequest',
    async (request, reply) => await reply.header('x-ws-relay', target.pid).send()
  )
  await early.register(wsRelay, { node: 'early' })
  early.get('/', async () => t.fail('handled'))
  wire.join(Registration.of(early)!.relay.runtime)
  const port = await listen(early)
  const client = await raw(t, port)
  client.write(handshake('/'))
  t.match(await client.until(/\r\n\r\n/), /^HTTP\/1\.1 101/)
  await target.until('ws.join')
  t.equal(rig.relay.connections.size, 0)
})
