// docs/relay.md, "A connection is a process": from any process to the client.
import { once } from 'node:events'
import t from 'tap'
import WebSocket from 'ws'
import { Keeper, joined, start } from './support.js'
import { connectTo } from './peer.js'
import { opcodes } from '../../../lib/websocket/frames.js'
import { until } from '../../helpers.js'
import type { Socket } from 'node:net'

t.test('sends one frame for a ws.send', async t => {
  const rig = await start(t)
  const { peer, pid } = await joined(t, rig)
  const part = new Uint8Array([0, 1, 2, 3]).subarray(1, 3)
  const shared = new Uint8Array(new SharedArrayBuffer(2)).fill(0x61)
  const table: Array<[payload: object, opcode: number, sent: string | Buffer]> = [
    [{ type: 'text', data: 'hello' }, opcodes.text, 'hello'],
    [{ data: 'hello' }, opcodes.text, 'hello'],
    [{ data: '' }, opcodes.text, ''],
    [{ data: 'grüße 😀' }, opcodes.text, 'grüße 😀'],
    [{ data: 'x'.repeat(70_000) }, opcodes.text, 'x'.repeat(70_000)],
    [{ type: 'binary', data: 'é' }, opcodes.binary, 'é'],
    [{ data: Buffer.from([0, 255]) }, opcodes.binary, Buffer.from([0, 255])],
    [{ type: 'binary', data: part }, opcodes.binary, Buffer.from([1, 2])],
    [{ type: 'text', data: Buffer.from('bytes') }, opcodes.text, 'bytes'],
    [{ type: 'text', data: shared }, opcodes.text, 'aa'],
    [{ data: shared }, opcodes.binary, 'aa'],
    [{ data: new Uint8Array(0) }, opcodes.binary, '']
  ]
  for (const [payload] of table) t.equal(rig.processes.send(pid, 'ws.send', payload as never), true)
  await until(() => peer.frames.length === table.length)
  t.strictSame(
    peer.frames,
    table.map(([, opcode, sent]) => ({ opcode, payload: Buffer.from(sent), rsv1: false }))
  )
})

t.test('sends the bytes as they were at the call', async t => {
  const rig = await start(t)
  const { peer, pid } = await joined(t, rig)
  const data = Buffer.alloc(100)
  for (let i = 0; i < 50; i++) {
    data.fill(i)
    rig.processes.send(pid, 'ws.send', { data })
  }
  await until(() => peer.frames.length === 50)
  t.strictSame(
    peer.frames.map(({ payload }) => payload[99]),
    Array.from({ length: 50 }, (_, i) => i)
  )
})

t.test(
  'returns false, logs and counts an invalid payload, and rejects a call with it',
  async (t) => {
    const lines: any[] = []
    const rig = await start(
      t,
      {},
      {
        logger: {
          level: 'warn',
          stream: {
            write: (line) => {
              lines.push(JSON.parse(line))
            }
          }
        }
      }
    )
    const { peer, pid, target } = await joined(t, rig)
    const circular: any = {}
    circular.self = circular
    const table: Array<[topic: string, payload: unknown]> = [
      ['ws.send', undefined],
      ['ws.send', null],
      ['ws.send', 'text'],
      ['ws.send', 5],
      ['ws.send', {}],
      ['ws.send', { data: 5 }],
      ['ws.send', { data: null }],
      ['ws.send', { data: ['a'] }],
      ['ws.send', { data: new ArrayBuffer(2) }],
      ['ws.send', { data: new Uint16Array(2) }],
      ['ws.send', { type: 'json', data: 'x' }],
      ['ws.send', { type: null, data: 'x' }],
      ['ws.send', { type: 'text', data: Buffer.from([0xff]) }],
      [
        'ws.send',
        {
          get data () {
            throw new Error('no')
          }
        }
      ],
      ['notice', 1n],
      ['notice', circular],
      ['notice', () => {}],
      ['notice', Symbol('s')],
      [
        'notice',
        {
          toJSON () {
            throw new Error('no')
          }
        }
      ],
      ['notice', { toJSON () {} }],
      ['ws.control', 5],
      ['ws.control', { heartbeat_interval: 1 }],
      ['ws.control', { metadata: [] }]
    ]
    for (const [topic, payload] of table) {
      lines.length = 0
      const { refused } = rig.processes.stats()
      t.equal(rig.processes.send(pid, topic, payload), false)
      t.equal(rig.processes.stats().refused, refused + 1)
      t.match(lines, [{ relayPid: pid, topic, msg: /^malformed payload: / }])
      await t.rejects(rig.processes.call(pid, topic, payload), {
        code: 'FST_WS_RELAY_INVALID_PAYLOAD'
      })
    }
    t.equal(rig.processes.info(pid)!.buffered, 0)
    peer.text('still here')
    await target.until('ws.message')
    rig.processes.send(pid, 'ws.send', { data: 'so am I' })
    await until(() => peer.frames.length === 1)
    t.strictSame(peer.texts, ['so am I'])
  }
)

t.test('sends messages of other topics to the client as JSON', async t => {
  const rig = await start(t)
  const { peer, pid } = await joined(t, rig)
  const table: Array<[topic: string, payload: unknown, data: unknown]> = [
    ['notice', { text: 'hi' }, { text: 'hi' }],
    ['notice', undefined, null],
    ['notice', null, null],
    ['notice', 'text', 'text'],
    ['notice', 0, 0],
    ['notice', [1, undefined], [1, null]],
    ['notice', Buffer.from('bytes'), 'Ynl0ZXM='],
    ['notice', new Uint8Array([1, 2]), 'AQI='],
    ['a "quoted" töpic', false, false],
    ['wsx', 1, 1]
  ]
  for (const [topic, payload] of table) t.equal(rig.processes.send(pid, topic, payload), true)
  await until(() => peer.frames.length === table.length)
  t.strictSame(
    peer.texts.map((text) => JSON.parse(text)),
    table.map(([topic, , data]) => ({ topic, data }))
  )
  t.equal(peer.texts[1], '{"topic":"notice","data":null}')
})

t.test('sends no other topic to the client when forwardTopics is off', async t => {
  const rig = await start(t, { forwardTopics: false })
  const { peer, pid } = await joined(t, rig)
  t.equal(rig.processes.send(pid, 'notice', 1), false)
  await t.rejects(rig.processes.call(pid, 'notice', 1), { code: 'FST_PROCESS_REFUSED' })
  rig.processes.send(pid, 'ws.send', { data: 'this does' })
  await until(() => peer.frames.length > 0)
  t.strictSame(peer.texts, ['this does'])
})

t.test('never forwards system messages and unknown ws. topics', async t => {
  const rig = await start(t)
  const { peer, pid } = await joined(t, rig)
  const { deadLetters } = rig.processes.stats()
  for (const topic of ['ws.', 'ws.message', 'ws.join', 'ws.leave', 'ws.heartbeat', 'ws.unknown']) {
    t.equal(rig.processes.send(pid, topic, {}), false)
    await t.rejects(rig.processes.call(pid, topic, {}), { code: 'FST_PROCESS_REFUSED' })
  }
  t.equal(rig.processes.stats().deadLetters, deadLetters + 12)
  for (const topic of ['@exit', '@', '@mine']) {
    t.throws(() => rig.processes.send(pid, topic, {}), { code: 'FST_PROCESS_INVALID_TOPIC' })
  }
  rig.processes.groups.watch('group', pid)
  rig.processes.groups.join('group', pid)
  rig.processes.send(pid, 'ws.send', { data: 'last' })
  await until(() => peer.frames.length > 0)
  t.strictSame(peer.texts, ['last'])
})

t.test('resolves a call when the kernel has its frame', async t => {
  const rig = await start(t, { maxBufferedAmount: 100 })
  const { peer, pid } = await joined(t, rig)
  t.equal(await rig.processes.call(pid, 'ws.send', { data: 'now' }), undefined)
  peer.socket.pause()
  const data = Buffer.alloc(20_000_000)
  let over = false
  const call = rig.processes.call(pid, 'ws.send', { data }, { timeout: '5m' }).then(() => {
    over = true
  })
  for (let i = 0; i < 20; i++) await new Promise(setImmediate)
  t.equal(over, false, 'not while it waits for the client')
  peer.socket.resume()
  await call
})

t.test('rejects a call when the connection ends first', async t => {
  const rig = await start(t)
  const { peer, pid } = await joined(t, rig)
  peer.socket.pause()
  const call = rig.processes.call(
    pid,
    'ws.send',
    { data: Buffer.alloc(20_000_000) },
    { timeout: '5m' }
  )
  await new Promise(setImmediate)
  peer.rst()
  await t.rejects(call, { code: 'FST_PROCESS_CALL_FAILED' })
  await t.rejects(rig.processes.call(pid, 'ws.send', { data: 'x' }), {
    code: 'FST_PROCESS_NOT_ALIVE'
  })
})

t.test('resolves calls in the tick of a close, because the client gets their frames', async t => {
  const rig = await start(t)
  const { peer, pid } = await joined(t, rig)
  const calls = ['a', 'b'].map((data) => rig.processes.call(pid, 'ws.send', { data }))
  rig.processes.send(pid, 'ws.close')
  await Promise.all(calls)
  await peer.end()
  t.strictSame(peer.texts, ['a', 'b'])
})

t.test('frames a broadcast once, by the group and by a plain loop', async t => {
  const rig = await start(t)
  const target = new Keeper(rig)
  const peers = await Promise.all(
    Array.from({ length: 20 }, () => connectTo(t, rig, { target_pid: target.pid }))
  )
  const pids = (await target.until('ws.join', 20)).map(({ client_pid }) => client_pid)
  for (const pid of pids) rig.processes.groups.join('all', pid)
  const { encoder } = rig.relay.flusher
  let encoded = encoder.encodedTexts
  const text = 'x'.repeat(1000)
  t.equal(rig.processes.groups.broadcast('all', 'ws.send', { data: text }), 20)
  t.equal(encoder.encodedTexts, ++encoded)
  for (const pid of pids) rig.processes.send(pid, 'ws.send', { type: 'text', data: `${text}!` })
  t.equal(encoder.encodedTexts, ++encoded)

  let read = 0
  const counted = { get data () { return Buffer.from([++read]) } }
  rig.processes.groups.broadcast('all', 'ws.send', counted)
  t.equal(read, 1, 'bytes, too')
  let written = 0
  rig.processes.groups.broadcast('all', 'notice', { toJSON: () => ++written })
  t.equal(written, 1, 'and any other topic')
  t.equal(rig.processes.groups.broadcast('all', 'ws.send', { data: 5 as never }), 0)

  await until(() => peers.every(({ frames }) => frames.length === 4))
  for (const { frames: [a, b, c, d] } of peers) {
    t.strictSame(
      [a.payload.toString(), b.payload.toString(), c.payload, d.payload.toString()],
      [text, `${text}!`, Buffer.from([1]), '{"topic":"notice","data":1}']
    )
  }
})

t.test('writes all frames of a loop iteration at once', async t => {
  const rig = await start(t)
  const connected = once(rig.app.server, 'connection') as Promise<[Socket]>
  const { peer, pid } = await joined(t, rig)
  const [socket] = await connected
  const writes = t.capture(socket, 'write', socket.write)
  for (let i = 0; i < 100; i++) rig.processes.send(pid, 'ws.send', { data: `${i}` })
  await until(() => peer.frames.length === 100)
  // The native sender writes to the descriptor.
  const { nativeSender } = rig.processes.stats().connections
  t.equal(writes().length, nativeSender ? 0 : 1)
})

t.test('a ws client reads all kinds of frames', async t => {
  const rig = await start(t)
  const target = new Keeper(rig, {
    each: ({ topic, payload }) => {
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
      encodeURIComponent(JSON.stringify({ target_pid: target.pid }))
  )
  const got: Array<[string, boolean]> = []
  client.on('message', (data, binary) => { got.push([data.toString(), binary]) })
  await new Promise((resolve) => { client.once('open', resolve) })
  const sent: Array<[string, boolean]> = ['', 'a', 'ü'.repeat(100), 'x'.repeat(100_000)].flatMap(
    (text) =>
      [
        [text, false],
        [text, true]
      ] as Array<[string, boolean]>
  )
  for (const [text, binary] of sent) client.send(text, { binary })
  await until(() => got.length === sent.length)
  t.strictSame(got, sent)
  const closed = new Promise((resolve) => {
    client.once('close', (code, reason) => {
      resolve([code, reason.toString()])
    })
  })
  rig.processes.send(target.of('ws.join')[0].client_pid, 'ws.close', { code: 4000, reason: 'bye' })
  t.strictSame(await closed, [4000, 'bye'])
})
