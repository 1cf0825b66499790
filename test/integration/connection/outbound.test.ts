// docs/relay.md, "Pressure": messages to a client that reads more slowly than they are sent.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { frameOf, Keeper, allGone, joined, remains, start } from './support.js'
import { connectTo } from './peer.js'
import { opcodes } from '../../../lib/websocket/frames.js'
import { logs, until } from '../../helpers.js'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** Bytes in use. The memory of buffers is freed in a later loop iteration. */
async function used (): Promise<number> {
  gc()
  await new Promise(setImmediate)
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

const big = Buffer.alloc(20_000_000)

t.test('accepts one frame of any size, and no other while it is buffered', async t => {
  const rig = await start(t, { maxBufferedAmount: 1000, overflow: 'drop' })
  const { peer, pid } = await joined(t, rig)
  peer.socket.pause()
  t.equal(rig.processes.send(pid, 'ws.send', { data: big }), true)
  t.ok(rig.processes.info(pid)!.buffered as number > 1000)
  for (let i = 1; i <= 3; i++) {
    t.equal(rig.processes.send(pid, 'ws.send', { data: 'x' }), false)
    t.equal(rig.processes.send(pid, 'notice', 'x'), false)
    t.equal(rig.processes.info(pid)!.dropped, 2 * i)
  }
  await t.rejects(rig.processes.call(pid, 'ws.send', { data: 'x' }), {
    code: 'FST_PROCESS_REFUSED'
  })
  t.equal(rig.processes.alive(pid), true)
  peer.socket.resume()
  await until(() => rig.processes.info(pid)!.buffered === 0)
  t.equal(rig.processes.send(pid, 'ws.send', { data: 'later' }), true)
  await until(() => peer.frames.length === 2)
  t.strictSame(peer.texts, ['later'], 'the newest frames were dropped')
})

t.test(
  'the timeout error of a ws.send call says that the frame may still be delivered',
  async (t) => {
    const rig = await start(t, { maxBufferedAmount: 2 * big.length })
    const { peer, pid } = await joined(t, rig)
    peer.socket.pause()
    rig.processes.send(pid, 'ws.send', { data: big })
    await t.rejects(rig.processes.call(pid, 'ws.send', { data: 'late' }, { timeout: 20 }), {
      code: 'FST_PROCESS_CALL_TIMEOUT',
      message: `Call 'ws.send' to '${pid}' was not answered within 20 ms; ` +
        'the message may still be delivered'
    })
    peer.socket.resume()
    await until(() => peer.frames.length === 2)
    t.strictSame(peer.texts, ['late'])
  }
)

t.test('accepts 16 times the limit in one loop iteration when the buffer was empty', async t => {
  const rig = await start(t, { maxBufferedAmount: 1000, overflow: 'drop' })
  const { peer, pid } = await joined(t, rig)
  for (let i = 1; i <= 3; i++) {
    let accepted = 0
    // 102 bytes each.
    while (rig.processes.send(pid, 'ws.send', { data: 'x'.repeat(100) })) accepted++
    t.equal(accepted, 157)
    t.equal(rig.processes.info(pid)!.buffered, 157 * 102)
    await until(() => peer.frames.length === i * accepted)
  }
})

t.test('applies the limit from the next iteration when a burst was not read', async t => {
  for (const overflow of ['close', 'drop'] as const) {
    const rig = await start(t, { maxBufferedAmount: 2_000_000, overflow, closeTimeout: '1m' })
    const { peer, pid } = await joined(t, rig)
    peer.socket.pause()
    const frame = Buffer.alloc(100_000)
    let accepted = 0
    while (accepted < 200) if (rig.processes.send(pid, 'ws.send', { data: frame })) accepted++
    t.ok(rig.processes.info(pid)!.buffered as number > 2_000_000)
    // One iteration for the write, and one for the drain.
    for (let i = 0; i < 6; i++) await new Promise(setImmediate)
    t.ok(
      (rig.processes.info(pid)!.buffered as number) > 2_000_000,
      'it was not judged for the burst alone'
    )
    t.equal(rig.processes.send(pid, 'ws.send', { data: 'x' }), false)
    peer.socket.resume()
    await until(() => peer.count(opcodes.binary) === accepted)
    t.equal(rig.processes.alive(pid), overflow === 'drop')
  }
})

t.test('closes no client that reads a burst as fast as it can', async t => {
  const rig = await start(t)
  const target = rig.processes.spawn((self) =>
    self.serve({
      'ws.join': ({ client_pid }) => {
        for (let i = 0; i < 8000; i++) self.send(client_pid, 'ws.send', { data: 'x'.repeat(1000) })
      }
    })
  )
  const peer = await connectTo(t, rig, { target_pid: target })
  await until(() => peer.frames.length === 8000)
  t.equal(peer.seen, undefined)
})

t.test(
  'logs overflow with its counts, once for many clients that are slow at the same time',
  async (t) => {
    for (const overflow of ['close', 'drop'] as const) {
      const { logger, lines } = logs('warn')
      const rig = await start(t, { maxBufferedAmount: 1000, overflow }, { logger } as never)
      for (let i = 0; i < 3; i++) {
        const { pid } = await joined(t, rig)
        rig.processes.send(pid, 'ws.send', { data: big })
        t.equal(rig.processes.send(pid, 'ws.send', { data: 'x' }), false)
        t.equal(rig.processes.send(pid, 'ws.send', { data: 'x' }), false)
      }
      const closes = overflow === 'close'
      t.match(lines, [
        {
          msg: closes
            ? 'closing the connection of a client that reads too slowly'
            : 'dropping frames for a client that reads too slowly',
          maxBufferedAmount: 1000,
          dropped: closes ? 0 : 1,
          unlogged: 0
        }
      ])
      t.equal(lines.length, 1)
      t.ok(lines[0].buffered > 1000)
    }
  }
)

t.test('sends a pong for the last ping when a full buffer was read', async t => {
  const rig = await start(t, { maxBufferedAmount: 1000 })
  const { peer, pid, target } = await joined(t, rig)
  peer.socket.pause()
  rig.processes.send(pid, 'ws.send', { data: big })
  for (const ping of ['1', '2', '3']) peer.write(frameOf(opcodes.ping, ping))
  peer.text('done')
  await target.until('ws.message')
  peer.socket.resume()
  await until(() => peer.count(opcodes.pong) > 0)
  t.strictSame(
    peer.frames
      .filter(({ opcode }) => opcode === opcodes.pong)
      .map(({ payload }) => payload.toString()),
    ['3']
  )
})

t.test('sends no late pong after the close frame', async t => {
  const rig = await start(t, { maxBufferedAmount: 1000, closeTimeout: '1m' })
  const { peer, pid, target } = await joined(t, rig)
  peer.socket.pause()
  rig.processes.send(pid, 'ws.send', { data: big })
  peer.write(frameOf(opcodes.ping, '1'))
  peer.text('done')
  await target.until('ws.message')
  rig.processes.send(pid, 'ws.close', { code: 4000 })
  peer.socket.resume()
  t.strictSame(await peer.end(), { code: 4000, reason: '' })
  t.equal(peer.count(opcodes.pong), 0)
})

t.test('delays no other client when one is slow', async t => {
  const rig = await start(t)
  const target = new Keeper(rig)
  const peers = await Promise.all(
    Array.from({ length: 10 }, () => connectTo(t, rig, { target_pid: target.pid }))
  )
  const pids = (await target.until('ws.join', 10)).map(({ client_pid }) => client_pid)
  for (const pid of pids) rig.processes.groups.join('all', pid)
  const [slow, ...others] = peers
  slow.socket.pause()
  let sent = 0
  while (remains(rig).connections === 10) {
    sent++
    rig.processes.groups.broadcast('all', 'ws.send', { data: `${sent} ${'x'.repeat(50_000)}` })
    await until(() => others.every(({ frames }) => frames.length === sent))
  }
  t.match(target.of('ws.leave').length <= 1, true)
  await target.until('ws.leave')
  t.match(target.of('ws.leave'), [{ cause: 'slow', code: 1013 }])
  for (const peer of others) {
    t.equal(
      peer.texts.every((text, i) => text.startsWith(`${i + 1} `)),
      true
    )
  }
})

t.test(
  'bounds memory for 200 000 pings of a client that never reads, and loses no message',
  async (t) => {
    const rig = await start(t, { maxBufferedAmount: 200_000 })
    const { peer, pid, target } = await joined(t, rig)
    peer.socket.pause()
    const before = await used()
    const pings = Buffer.concat(
      Array.from({ length: 1000 }, () => frameOf(opcodes.ping, 'p'.repeat(125)))
    )
    for (let i = 0; i < 200; i++) {
      if (!peer.socket.write(pings)) {
        await new Promise((resolve) => {
          peer.socket.once('drain', resolve)
        })
      }
    }
    peer.text('done')
    await target.until('ws.message')
    const grown = ((await used()) - before) / 1e6
    t.ok(grown < 20, `${grown.toFixed(1)} MB`)
    t.comment(`memory +${grown.toFixed(1)} MB`)
    t.ok((rig.processes.info(pid)!.buffered as number) >= 200_000, 'it is full')
    t.ok((rig.processes.info(pid)!.buffered as number) <= 300_000)
    t.equal(rig.processes.alive(pid), true)
    t.equal(
      rig.processes.send(pid, 'ws.send', { data: 'x' }),
      false,
      'what is sent to it now finds it too slow'
    )
    await target.until('ws.leave')
    t.match(target.of('ws.leave'), [{ cause: 'slow' }])
  }
)

t.test('sends a pong for each ping of a client that reads', async t => {
  const rig = await start(t)
  const { peer } = await joined(t, rig)
  for (let i = 0; i < 3000; i++) peer.write(frameOf(opcodes.ping, `${i}`))
  await until(() => peer.frames.length === 3000)
  t.strictSame(
    peer.frames.map(({ payload }) => payload.toString()),
    Array.from({ length: 3000 }, (_, i) => `${i}`)
  )
})

t.test('delivers many small waiting frames to a slow client in order', async t => {
  const rig = await start(t, { maxBufferedAmount: 100_000_000 })
  const { peer, pid } = await joined(t, rig)
  peer.socket.pause()
  rig.processes.send(pid, 'ws.send', { data: big })
  for (let i = 0; i < 5000; i++) rig.processes.send(pid, 'ws.send', { data: `${i}` })
  await new Promise(setImmediate)
  for (let i = 5000; i < 10_000; i++) rig.processes.send(pid, 'ws.send', { data: `${i}` })
  const last = rig.processes.call(pid, 'ws.send', { data: 'last' }, { timeout: '5m' })
  peer.socket.resume()
  await last
  await until(() => peer.frames.length === 10_002)
  t.strictSame(peer.texts, [...Array.from({ length: 10_000 }, (_, i) => `${i}`), 'last'])
})

t.test('leaves nothing of a slow client that disconnects', async t => {
  const rig = await start(t, { pingInterval: 100 })
  const { peer, pid, target } = await joined(t, rig)
  peer.socket.pause()
  rig.processes.send(pid, 'ws.send', { data: big })
  rig.processes.send(pid, 'ws.send', { data: 'x' })
  peer.rst()
  await target.until('ws.leave')
  await allGone(rig)
})
