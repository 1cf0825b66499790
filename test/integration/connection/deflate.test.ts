// Connections with permessage-deflate: the rest of the contract is the same.
import { deflateRawSync } from 'node:zlib'
import { once } from 'node:events'
import t from 'tap'
import WebSocket from 'ws'
import { frameOf, Keeper, allGone, closeOf, start, textOf } from './support.js'
import { connectTo } from './peer.js'
import { opcodes } from '../../../lib/websocket/frames.js'
import { until } from '../../helpers.js'
import type { Test } from 'tap'
import type { Kept, Rig } from './support.js'
import type { Peer } from './peer.js'
import type { Pid } from '../../../types/pid.js'
import type { WsRelayOptions } from '../../../types/relay.js'

const headers = { 'sec-websocket-extensions': 'permessage-deflate; client_no_context_takeover' }

/** A compressed message of a client. */
function deflated (data: string | Buffer, opcode: number = opcodes.text): Buffer {
  const bytes = deflateRawSync(data, { finishFlush: 2 /* Z_SYNC_FLUSH */ })
  return frameOf(opcode, bytes.subarray(0, -4), { rsv1: true })
}

async function deflating (
  t: Test,
  options: WsRelayOptions = {},
  target?: (rig: Rig) => Keeper
): Promise<{ rig: Rig, peer: Peer, pid: Pid, target: Keeper }> {
  const rig = await start(t, { perMessageDeflate: true, ...options })
  const keeper = target?.(rig) ?? new Keeper(rig)
  const peer = await connectTo(t, rig, { target_pid: keeper.pid }, { headers })
  const [{ client_pid: pid }] = await keeper.until('ws.join')
  return { rig, peer, pid, target: keeper }
}

t.test('echoes small and large messages to a ws client in order', async t => {
  for (const perMessageDeflate of [
    true,
    {
      threshold: 10,
      serverNoContextTakeover: true,
      clientNoContextTakeover: true,
      zlibDeflateOptions: { level: 1 }
    }
  ]) {
    const rig = await start(t, { perMessageDeflate })
    const target = new Keeper(rig, {
      each: ({ topic, payload }: Kept) => {
        if (topic === 'ws.message') {
          rig.processes.send(payload.client_pid, 'ws.send', {
            type: payload.type,
            data: payload.data
          })
        }
      }
    })
    const client = new WebSocket(
      `ws://127.0.0.1:${rig.port}/?relay=` +
        encodeURIComponent(JSON.stringify({ target_pid: target.pid })),
      { perMessageDeflate: { threshold: 20 } }
    )
    const got: string[] = []
    client.on('message', (data) => {
      got.push(data.toString())
    })
    await once(client, 'open')
    t.match(client.extensions, 'permessage-deflate')
    const sent = Array.from(
      { length: 300 },
      (_, i) => `${i} ${'ab'.repeat(i % 3 === 0 ? 5 : i * 20)}`
    )
    for (const [i, data] of sent.entries()) client.send(data, { binary: i % 2 === 0, fin: true })
    await until(() => got.length === sent.length)
    t.strictSame(got, sent)
    client.close(4000, 'done')
    await once(client, 'close')
    await target.until('ws.leave')
    t.match(target.of('ws.leave'), [{ code: 4000, reason: 'done' }])
    await allGone(rig)
  }
})

t.test(
  'deflates messages from the threshold on, but no smaller ones and no control frames',
  async (t) => {
    const { peer, pid, rig } = await deflating(t)
    peer.write(frameOf(opcodes.ping, 'p'.repeat(125)))
    for (const size of [10, 1023, 1024, 70_000]) {
      rig.processes.send(pid, 'ws.send', { data: 'x'.repeat(size) })
    }
    rig.processes.send(pid, 'ws.send', { data: Buffer.alloc(5000) })
    rig.processes.send(pid, 'ws.close', 'x'.repeat(100))
    await peer.end()
    const sent = peer.frames
      .filter(({ opcode }) => opcode !== opcodes.pong)
      .map(({ opcode, rsv1 }) => [opcode, rsv1])
    t.strictSame(sent, [
      [1, false],
      [1, false],
      [1, true],
      [1, true],
      [2, true],
      [8, false]
    ])
    t.ok(peer.frames.every(({ payload }) => payload.length < 2000))
  }
)

t.test('applies the limits to the inflated size of a message', async t => {
  const table: Array<[frames: Buffer[], code: number, reason: string]> = [
    [[deflated('x'.repeat(10_001))], 1009, 'message too large'],
    [[deflated(Buffer.alloc(100_000_000), opcodes.binary)], 1009, 'message too large'],
    [[frameOf(opcodes.text, 'not deflated', { rsv1: true })], 1007, 'invalid deflate data'],
    [[deflated(Buffer.from([0xff, 0xfe]))], 1007, 'invalid UTF-8'],
    [[frameOf(opcodes.ping, '', { rsv1: true })], 1002, 'protocol error: reserved bits set']
  ]
  for (const [frames, code, reason] of table) {
    const { peer, target, rig } = await deflating(t, { maxPayload: 10_000 })
    peer.write(textOf('before'), deflated('x'.repeat(10_000)), ...frames, textOf('after'))
    t.strictSame(await peer.end(), { code, reason })
    await target.until('ws.leave')
    t.strictSame(target.texts, ['before', 'x'.repeat(10_000)])
    t.match(target.of('ws.leave'), [{ cause: 'protocol', code, reason }])
    await allGone(rig)
  }
})

t.test('declines an offer that it cannot accept', async t => {
  const rig = await start(t, { perMessageDeflate: { serverMaxWindowBits: 9 } })
  for (const offer of [
    'permessage-deflate; server_max_window_bits=7',
    'permessage-deflate; =',
    'x-webkit-deflate-frame',
    'permessage-deflate; unknown',
    undefined
  ]) {
    const target = new Keeper(rig)
    const peer = await connectTo(
      t,
      rig,
      { target_pid: target.pid },
      { headers: { 'sec-websocket-extensions': offer } as never }
    )
    t.notMatch(peer.head, /^sec-websocket-extensions:/im, String(offer))
    peer.text('plain')
    t.match(await target.until('ws.message'), [{ data: 'plain' }])
    peer.close()
    await peer.end()
  }
})

const ends: Record<string, [end: (rig: Rig, pid: Pid, peer: Peer) => unknown, leave: object]> = {
  'the client closes': [(_rig, _pid, peer) => peer.close(4001), { cause: 'client', code: 4001 }],
  'the client ends its side': [
    (_rig, _pid, peer) => {
      peer.fin()
    },
    { cause: 'lost' }
  ],
  'ws.close': [
    ({ processes }, pid) => processes.send(pid, 'ws.close', { code: 4000 }),
    { cause: 'process', code: 4000 }
  ],
  exit: [({ processes }, pid) => processes.exit(pid, 'boom'), { cause: 'exit' }],
  'app.close': [
    ({ app }) => {
      app.close()
    },
    { cause: 'shutdown' }
  ]
}

t.test(
  'inflates and delivers all received messages before the leave, even without room',
  async (t) => {
    for (const mailboxLimit of [10_000, 10]) {
      for (const [name, [end, leave]] of Object.entries(ends)) {
        const { rig, peer, pid, target } = await deflating(t, { mailboxLimit, closeTimeout: '20s' })
        target.hold()
        const sent = Array.from({ length: 100 }, (_, i) => `${i} ${'x'.repeat((i % 2) * 3000)}`)
        peer.write(...sent.map((data, i) => (i % 3 === 0 ? textOf(data) : deflated(data))))
        // The first messages have arrived, so the others were read with them.
        await until(async () => (await target.mailbox()) > 1)
        const ended = rig.processes.exited(pid)
        await end(rig, pid, peer)
        if (name === 'exit' || name === 'ws.close') {
          t.equal(rig.processes.send(pid, 'ws.send', { data: 'x' }), false, 'nothing more is taken')
        }
        if (!name.startsWith('the client')) await ended
        target.release()
        await target.until('ws.leave')
        t.strictSame(target.texts, sent, name)
        t.match(target.of('ws.leave'), [leave])
        t.strictSame(
          target.topics.indexOf('ws.leave') > target.topics.lastIndexOf('ws.message'),
          true
        )
        await allGone(rig)
      }
    }
  }
)

t.test('a kill, a lost target and a lost client do not wait for inflation', async (t) => {
  // More than ws inflates at once: each ended connection must free its slot.
  for (let round = 0; round < 15; round++) {
    const { rig, peer, pid, target } = await deflating(t)
    peer.write(...Array.from({ length: 20 }, () => deflated('x'.repeat(100_000))))
    await target.until('ws.message')
    const ended = rig.processes.exited(pid)
    if (round % 3 === 0) rig.processes.exit(pid, 'kill')
    else if (round % 3 === 1) rig.processes.exit(target.pid, 'boom')
    else {
      rig.processes.send(pid, 'ws.close')
      t.equal(rig.processes.alive(pid), true, 'it goes on until all is inflated')
      rig.processes.exit(pid, 'kill')
    }
    if (round % 3 !== 1 || rig.neighbours === undefined) t.equal(rig.processes.alive(pid), false)
    t.match(await ended, { value: { cause: round % 3 === 1 ? 'target' : 'killed' } })
    const topics = [...target.topics]
    await allGone(rig)
    t.equal(topics.filter((topic) => topic === 'ws.leave').length <= 1, true)
    if (round % 3 !== 1) {
      await target.until('ws.leave')
      t.equal(target.topics.filter((topic) => topic !== '@exit').at(-1), 'ws.leave')
    }
  }
  const { rig, peer, target } = await deflating(t)
  peer.write(deflated('still possible'))
  await target.until('ws.message')
  t.strictSame(target.texts, ['still possible'])
  peer.close()
  await allGone(rig)
})

t.test('keeps the order when a transfer happens during inflation', async t => {
  const { rig, peer, pid, target } = await deflating(t, { mailboxLimit: 30 })
  const next = new Keeper(rig)
  const sent = Array.from({ length: 200 }, (_, i) => `${i} ${'x'.repeat(2000)}`)
  peer.write(...sent.map((data, i) => i % 5 === 0 ? textOf(data) : deflated(data)))
  await target.until('ws.message', 20)
  rig.processes.send(pid, 'ws.control', { target_pid: next.pid })
  peer.write(closeOf(1000))
  await next.until('ws.leave')
  await target.until('ws.leave')
  t.strictSame([...target.texts, ...next.texts], sent)
})

t.test('leaves nothing of a client that is lost while its messages are being deflated', async t => {
  const { rig, peer, pid, target } = await deflating(t, { closeTimeout: 200 })
  const call = rig.processes.call(pid, 'ws.send', { data: 'x'.repeat(500_000) }, { timeout: '5m' })
  for (let i = 0; i < 20; i++) rig.processes.send(pid, 'ws.send', { data: 'x'.repeat(10_000) })
  t.ok(rig.processes.info(pid)!.buffered as number > 500_000)
  peer.rst()
  await t.rejects(call)
  await target.until('ws.leave')
  await allGone(rig)
})

t.test('leaves no timer of a client that is lost before all messages are inflated', async t => {
  const { rig, peer, pid, target } = await deflating(t, { closeTimeout: '1h' })
  peer.write(...Array.from({ length: 200 }, () => deflated('x'.repeat(200_000))))
  await target.until('ws.message')
  const ended = rig.processes.exited(pid)
  rig.processes.send(pid, 'ws.close', { code: 4000 })
  peer.rst()
  t.match(await ended, { value: { cause: 'process', code: 4000 } })
  await allGone(rig)
})

t.test('the closing handshake waits for messages that are being deflated', async t => {
  const { rig, peer, pid } = await deflating(t)
  for (let i = 0; i < 20; i++) rig.processes.send(pid, 'ws.send', { data: 'x'.repeat(50_000) })
  peer.answersClose = true
  rig.processes.send(pid, 'ws.close', { code: 4000 })
  t.strictSame(await peer.end(), { code: 4000, reason: '' })
  t.equal(peer.count(opcodes.text), 20)
  await allGone(rig)
})
