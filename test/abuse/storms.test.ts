// Hundreds of clients that start and do not continue. Each test checks the responses of the server,
// and that it keeps nothing of the clients afterwards.
import t from 'tap'
import { Keeper, joined, start, textOf } from '../integration/connection/support.js'
import { connectTo } from '../integration/connection/peer.js'
import { answer, handshake, raw, until } from '../helpers.js'
import { held, letsGo } from './support.js'
import type { Socket } from 'node:net'
import type { Peer } from '../integration/connection/peer.js'

const ends: Array<(socket: Socket) => unknown> = [
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.end(),
  (socket) => socket.destroy()
]

/** A test whose clients close by themselves. */
const quiet = { teardown () {} } as never

t.test("ends 300 clients that never finish their request by HTTP's own timeout", async (t) => {
  const rig = await start(t, {}, {
    http: { headersTimeout: 2000, requestTimeout: 2000, connectionsCheckingInterval: 100 }
  })
  const { peer, pid, target } = await joined(t, rig)
  const before = held(rig)
  const request = handshake()
  // From the first byte to the last but one; and no byte at all.
  const clients = await Promise.all(Array.from({ length: 300 }, async (_, i) => {
    const client = await raw(quiet, rig.port)
    return client.write(request.slice(0, i % request.length))
  }))
  peer.text('meanwhile')
  await target.until('ws.message')
  const answers = await Promise.all(clients.map((client) => client.end()))
  t.equal(answers.filter((text) => text.startsWith('HTTP/1.1 408 ')).length, answers.length)
  for (const { socket } of clients) socket.destroy()
  await letsGo(rig, before)
  t.ok(rig.processes.alive(pid), 'the timeout does not apply to a connection')
})

t.test(
  'lets 100 of 300 hanging upgrades wait, refuses the others, and keeps none that leaves',
  async (t) => {
    const waiting: Array<() => void> = []
    let aborted = 0
    const rig = await start(t, { maxHandshakes: 100, upgradeTimeout: '1h' }, {}, (app) => {
      app.get('/slow', async (request, reply) => {
        request.signal.addEventListener('abort', () => {
          aborted++
        })
        await new Promise<void>((resolve) => {
          waiting.push(resolve)
        })
        return reply.relay('target').send()
      })
    })
    const target = new Keeper(rig)
    rig.processes.names.register('target', target.pid)
    const before = held(rig)
    const clients = await Promise.all(
      Array.from({ length: 300 }, async () =>
        (await raw(quiet, rig.port)).write(handshake('/slow'))
      )
    )
    const turnedAway = (): number =>
      clients.filter(({ text }) =>
        /^HTTP\/1\.1 503 [^]*retry-after: 5[^]*FST_WS_RELAY_OVERLOADED/.test(text)
      ).length
    await until(() => waiting.length + turnedAway() === clients.length)
    t.equal(waiting.length, 100)
    t.equal(rig.relay.handshakes.size, 100)
    t.match(
      await answer(
        t,
        rig.port,
        'GET /up HTTP/1.1\r\nhost: relay.test\r\nconnection: close\r\n\r\n'
      ),
      /^HTTP\/1\.1 200 /,
      'an ordinary request is answered'
    )
    clients.forEach(({ socket }, i) => ends[i % ends.length](socket))
    await until(() => aborted === 100)
    t.equal(rig.relay.handshakes.size, 0, 'no handshake is counted any more')
    for (const go of waiting) go()
    await connectTo(t, rig, { target_pid: target.pid }).then((peer) => peer.close().end())
    await letsGo(rig, before)
    t.equal(target.of('ws.join').length, 1, 'no client that had left has joined')
  }
)

t.test('cleans up after 2 000 clients that reset their connection at any moment', async (t) => {
  const batch = 200
  const rig = await start(t)
  let joins = 0
  const leaves: Record<string, number> = {}
  const target = new Keeper(rig, {
    monitors: false,
    keep: false,
    each ({ topic, payload }) {
      if (topic === 'ws.join') joins++
      if (topic === 'ws.leave') leaves[payload.cause] = (leaves[payload.cause] ?? 0) + 1
    }
  })
  const request = handshake(`/?relay=${target.pid}`)
  const moments: Array<() => Promise<Socket>> = [
    async () => (await raw(quiet, rig.port)).socket,
    async () => (await raw(quiet, rig.port)).write(request.slice(0, 40)).socket,
    async () => (await raw(quiet, rig.port)).write(request).socket,
    async () => (await connectTo(quiet, rig, { target_pid: target.pid })).socket,
    async () =>
      (await connectTo(quiet, rig, { target_pid: target.pid })).write(
        textOf('one'),
        textOf('two').subarray(0, 5)
      ).socket
  ]
  const before = held(rig)
  for (let i = 0; i < 2000; i += batch) {
    await Promise.all(Array.from(
      { length: batch }, async (_, j) => (await moments[j % moments.length]()).resetAndDestroy()
    ))
  }
  await letsGo(rig, before)
  await until(() => rig.processes.info(target.pid)!.mailbox === 0)
  t.ok(joins >= 800, `${joins} clients became connections`)
  t.strictSame(leaves, { lost: joins }, 'one leave per join')
  t.equal(rig.processes.stats().spawned, joins + 1)
})

t.test('closes half-open clients that end their side and continue to read', async (t) => {
  const rig = await start(t)
  const target = new Keeper(rig)
  const before = held(rig)
  const request = handshake(`/?relay=${target.pid}`)
  const clients = await Promise.all(Array.from({ length: 100 }, async (_, i) => {
    const client = await raw(quiet, rig.port, true)
    client.write(request.slice(0, i % 3 === 0 ? 30 : request.length)).socket.end()
    return client
  }))
  await Promise.all(clients.map((client) => client.end()))
  for (const { socket } of clients) socket.destroy()
  await letsGo(rig, before)
  t.equal(target.of('ws.join').length, target.of('ws.leave').length)
})

t.test('destroys the sockets of 500 clients that close and then stay', async (t) => {
  const rig = await start(t, { closeTimeout: 500 })
  const target = new Keeper(rig, { monitors: false })
  const before = held(rig)
  const peers: Peer[] = []
  for (let i = 0; i < 5; i++) {
    peers.push(...await Promise.all(
      Array.from({ length: 100 }, () => connectTo(t, rig, { target_pid: target.pid }))
    ))
  }
  for (const peer of peers) peer.answersClose = false
  await target.until('ws.join', 500)
  for (const { client_pid: pid } of target.of('ws.join')) {
    rig.processes.send(pid, 'ws.close', { code: 4000 })
  }
  t.equal(rig.processes.list().length, 1, 'their connections have ended')
  await Promise.all(peers.map((peer) => peer.end()))
  t.ok(peers.every(({ seen }) => seen?.code === 4000))
  await letsGo(rig, before)
  t.equal(target.of('ws.leave').length, 500)
})
