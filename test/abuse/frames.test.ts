// Malicious frames, and the memory that they cost the server.
import { deflateRawSync } from 'node:zlib'
import t from 'tap'
import { closing, frame, opcodes } from '../conformance/fixtures/raw-client.js'
import { Keeper, joined, start } from '../integration/connection/support.js'
import { connectTo } from '../integration/connection/peer.js'
import { until } from '../helpers.js'
import { held, letsGo, used } from './support.js'
import type { Socket } from 'node:net'
import type { Peer } from '../integration/connection/peer.js'
import type { Rig } from '../integration/connection/support.js'
import type { WsRelayOptions } from '../../types/relay.js'

interface Row {
  what: string
  frames: Buffer[]
  sees: { code: number, reason: string }
  headers?: Record<string, string>
}

const part = (data: string | Buffer = '', opcode: number = opcodes.continuation): Buffer =>
  frame(opcode, data, { fin: false })
const many = (count: number, one: Buffer): Buffer => Buffer.concat(
  Array.from({ length: count }, () => one)
)
const violates = (what: string): Row['sees'] => ({ code: 1002, reason: `protocol error: ${what}` })
const tooLarge = { code: 1009, reason: 'message too large' }

const rows: Row[] = [
  {
    what: 'a frame without a mask',
    frames: [frame(opcodes.text, 'hello', { mask: null })],
    sees: violates('frame not masked')
  },
  {
    what: 'a frame without a mask between good ones',
    frames: [
      frame(opcodes.text, 'a'),
      frame(opcodes.text, 'b', { mask: null }),
      frame(opcodes.text, 'c')
    ],
    sees: violates('frame not masked')
  },
  ...[2n ** 31n, 2n ** 32n, 2n ** 40n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n].map((length) => ({
    what: `a size of ${length}`,
    frames: [frame(opcodes.binary, 'only this', { length })],
    sees: tooLarge
  })),
  {
    what: 'a size of 2^40 in the second fragment',
    frames: [part('a', opcodes.binary), frame(opcodes.continuation, 'b', { length: 2n ** 40n })],
    sees: tooLarge
  },
  {
    what: '20 000 empty fragments',
    frames: [part('', opcodes.text), many(20_000, part())],
    sees: { code: 1008, reason: 'too many fragments' }
  },
  {
    what: '20 000 fragments of one octet',
    frames: [part('x', opcodes.text), many(20_000, part('x'))],
    sees: { code: 1008, reason: 'too many fragments' }
  },
  {
    what: '20 000 empty fragments, a pong behind each',
    frames: [part('', opcodes.text), many(20_000, Buffer.concat([part(), frame(opcodes.pong)]))],
    sees: { code: 1008, reason: 'too many fragments' }
  },
  {
    what: '20 000 starts of a message',
    frames: [many(20_000, part('x', opcodes.text))],
    sees: violates('expected continuation')
  },
  {
    what: '20 000 ends of none',
    frames: [many(20_000, frame(opcodes.continuation, 'x'))],
    sees: violates('unexpected continuation')
  },
  {
    what: '20 000 close frames',
    frames: [many(20_000, frame(opcodes.close, closing(1000)))],
    sees: { code: 1000, reason: '' }
  },
  {
    what: 'deflated data where compression was offered, and is off',
    headers: { 'sec-websocket-extensions': 'permessage-deflate; client_max_window_bits' },
    frames: [frame(opcodes.text, deflateRawSync('hello'), { rsv: 4 })],
    sees: violates('reserved bits set')
  },
  {
    what: 'a ping of 126 octets',
    frames: [frame(opcodes.ping, Buffer.alloc(126))],
    sees: violates('control frame too long')
  },
  {
    what: 'a ping that says 2^40',
    frames: [frame(opcodes.ping, '', { length: 2n ** 40n })],
    sees: violates('control frame too long')
  },
  {
    what: 'another HTTP request',
    frames: [Buffer.from('GET / HTTP/1.1\r\nhost: relay.test\r\n\r\n')],
    sees: violates('reserved bits set')
  },
  {
    what: 'a megabyte of zeros',
    frames: [Buffer.alloc(1_000_000)],
    sees: violates('unexpected continuation')
  },
  {
    what: 'a megabyte of ones',
    frames: [Buffer.alloc(1_000_000, 0xff)],
    sees: violates('reserved bits set')
  }
]

t.test('ends only the connection that breaks a rule, and leaves nothing behind', async (t) => {
  const rig = await start(t)
  const { peer: calm, target: neighbour } = await joined(t, rig)
  const before = held(rig)
  for (const { what, frames, sees, headers } of rows) {
    const target = new Keeper(rig)
    const peer = await connectTo(t, rig, { target_pid: target.pid }, { headers })
    peer.write(...frames)
    t.strictSame(await peer.end(), sees, what)
    const [leave] = await target.until('ws.leave')
    t.match(
      leave,
      sees.code === 1000 ? { cause: 'client', code: 1000 } : { cause: 'protocol', ...sees },
      `${what}: the ws.leave of the target`
    )
    t.ok(target.of('ws.message').length <= 1, `${what}: later frames are not delivered`)
    rig.processes.exit(target.pid)
    calm.text(what)
    await until(() => neighbour.texts.at(-1) === what)
    await letsGo(rig, before)
  }
  t.comment(`${rows.length} cases`)
})

/** Megabytes that clients cost the server after it has read everything they wrote. */
async function costs (
  t: Parameters<typeof joined>[0], count: number, bytes: Buffer, options: WsRelayOptions
): Promise<{ megabytes: number, rig: Rig, peers: Peer[] }> {
  const rig = await start(t, options)
  const sockets: Socket[] = []
  rig.app.server.on('connection', (socket) => { sockets.push(socket) })
  const target = new Keeper(rig, { monitors: false, keep: false })
  const peers = await Promise.all(
    Array.from({ length: count }, () => connectTo(t, rig, { target_pid: target.pid }))
  )
  const read = (): number => sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0)
  const empty = read()
  const before = await used()
  for (const peer of peers) peer.write(bytes)
  await until(() => read() === empty + count * bytes.length)
  return { megabytes: await used() - before, rig, peers }
}

t.test('allocates nothing for a header that announces a large payload', async (t) => {
  const gigabytes = 500 * 1024 * 1024
  const { megabytes, rig, peers } = await costs(
    t,
    200,
    frame(opcodes.binary, 'x'.repeat(100), { length: gigabytes }),
    { maxPayload: gigabytes }
  )
  t.ok(megabytes < 2, `200 clients announce 500 MiB each, and cost ${megabytes.toFixed(2)} MB`)
  for (const peer of peers) peer.rst()
  await until(() => rig.relay.connections.size === 0)
})

t.test('spends no more memory on fragments than their content', async (t) => {
  for (const [what, bytes, most] of [
    ['1000 empty ones', Buffer.concat([part('', opcodes.text), many(1000, part())]), 1],
    ['1000 of one octet', Buffer.concat([part('x', opcodes.text), many(1000, part('x'))]), 1],
    ['of 100 kB', Buffer.concat([part('x', opcodes.text), many(100, part('x'.repeat(1000)))]), 30]
  ] as Array<[string, Buffer, number]>) {
    const { megabytes, rig, peers } = await costs(t, 100, bytes, {})
    t.ok(megabytes < most, `100 clients with ${what} cost ${megabytes.toFixed(2)} MB`)
    for (const peer of peers) peer.rst()
    await until(() => rig.relay.connections.size === 0)
  }
})

t.test('stops inflating a message at the limit', async (t) => {
  const rig = await start(t, { perMessageDeflate: true })
  const bomb = frame(opcodes.binary, deflateRawSync(Buffer.alloc(50_000_000)), { rsv: 4 })
  const target = new Keeper(rig, { monitors: false })
  const before = held(rig)
  const offers = { 'sec-websocket-extensions': 'permessage-deflate' }
  const peers = await Promise.all(Array.from(
    { length: 20 }, () => connectTo(t, rig, { target_pid: target.pid }, { headers: offers })
  ))
  const memory = await used()
  let most = 0
  for (const peer of peers) peer.write(bomb)
  await until(() => {
    most = Math.max(most, process.memoryUsage().external / 1e6)
    return peers.every(({ gone }) => gone)
  })
  t.strictSame(peers.map(({ seen }) => seen), peers.map(() => tooLarge))
  await target.until('ws.leave', 20)
  t.strictSame(target.of('ws.message'), [])
  t.ok(
    most < memory + 50,
    `a gigabyte in ${((20 * bomb.length) / 1e6).toFixed(1)} MB ` +
      `took ${(most - memory).toFixed(1)} MB`
  )
  await letsGo(rig, before)
})
