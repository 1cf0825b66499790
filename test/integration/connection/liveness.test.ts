// docs/relay.md, "Pings and heartbeats": detects clients that are gone.
import t from 'tap'
import { deadline, fill, frameOf, Keeper, joined, start, textOf } from './support.js'
import { opcodes } from '../../../lib/websocket/frames.js'
import { until } from '../../helpers.js'
import { stall } from '../../laps.js'

const pings = { pingInterval: 50, pongTimeout: 50 }

t.test('keeps a client that answers pings, and answers its pings', async t => {
  const rig = await start(t, { pingInterval: 20, pongTimeout: 2000 })
  const { peer, pid } = await joined(t, rig)
  peer.write(frameOf(opcodes.ping, 'mine'), frameOf(opcodes.ping))
  await until(() => peer.count(opcodes.ping) === 5)
  t.equal(rig.processes.alive(pid), true)
  t.strictSame(
    peer.frames
      .filter(({ opcode }) => opcode === opcodes.pong)
      .map(({ payload }) => payload.toString()),
    ['mine', '']
  )
})

t.test('closes a client that sends messages and no pong', async t => {
  const rig = await start(t, pings)
  const { peer, target } = await joined(t, rig)
  peer.answersPings = false
  await until(() => {
    if (!peer.gone) peer.text('x')
    return target.of('ws.leave').length > 0
  })
  t.match(target.of('ws.leave'), [{ cause: 'ping_timeout' }])
})

t.test('sends no pings without a ping interval or a pong timeout', async t => {
  for (const options of [{ pingInterval: 0 }, { pongTimeout: 0, pingInterval: 10 }]) {
    const rig = await start(t, options)
    const { peer } = await joined(t, rig)
    t.equal(rig.relay.deadlines.size, 0)
    peer.text('x')
  }
})

t.test('keeps a paused client, which may answer after it is read again', async t => {
  const rig = await start(t, { ...pings, pongTimeout: 1000, mailboxLimit: 10 })
  const { peer, pid, target } = await joined(t, rig)
  await fill(rig, peer, pid, target, Array.from({ length: 200 }, (_, i) => textOf(`${i}`)))
  await deadline(rig, 1500)
  t.equal(rig.processes.alive(pid), true)
  target.release()
  await target.until('ws.message', 200)
  const pinged = peer.count(opcodes.ping)
  await until(() => peer.count(opcodes.ping) > pinged + 1)
  t.equal(rig.processes.alive(pid), true)
})

t.test('keeps a client that sends a long frame slowly', async t => {
  const rig = await start(t, { ...pings, pongTimeout: 600 })
  const { peer, target } = await joined(t, rig)
  peer.answersPings = false
  const whole = textOf('x'.repeat(100))
  for (let i = 0; i < whole.length; i += 7) {
    peer.write(whole.subarray(i, i + 7))
    await deadline(rig, 80)
  }
  // The frame took twice the pong timeout, and the connection still reads its last byte.
  await target.until('ws.message')
  t.equal(target.texts[0].length, 100)
  await target.until('ws.leave')
  t.match(target.of('ws.leave'), [{ cause: 'ping_timeout' }], 'but then it is')
})

t.test('keeps a client that reads a large message slowly', async t => {
  const rig = await start(t, { ...pings, pongTimeout: 500 })
  const { peer, pid, target } = await joined(t, rig)
  const { socket } = peer
  const size = 12_000_000
  rig.processes.send(pid, 'ws.send', { data: Buffer.alloc(size) })
  const begun = performance.now()
  // Reading takes five pong timeouts. A stall of the event loop excuses only one of them.
  for (let taken = 0; peer.count(opcodes.binary) === 0; taken += 300_000) {
    socket.resume()
    await until(() => socket.bytesRead >= taken || peer.gone || peer.count(opcodes.binary) > 0)
    socket.pause()
    await until(() => performance.now() - begun > 2500 * taken / size)
    if (peer.gone) break
  }
  socket.resume()
  t.strictSame(target.of('ws.leave'), [])
  t.equal(peer.frames.find(({ opcode }) => opcode === opcodes.binary)?.payload.length, size)
  const { length } = peer.frames
  await until(() => peer.frames.length > length + 1 || peer.gone)
  t.equal(rig.processes.alive(pid), true, 'and it goes on to answer pings')
})

t.test('keeps all clients when the event loop stalls for two seconds', async t => {
  const rig = await start(t, { ...pings, pongTimeout: 1000 })
  const clients = await Promise.all(
    Array.from({ length: 5 }, () => joined(t, rig, {}, new Keeper(rig)))
  )
  await until(() => clients.every(({ peer }) => peer.count(opcodes.ping) > 0))
  // In the middle of an interval, and right after a ping that is being written.
  for (const { peer } of clients) peer.answersPings = false
  await until(() => clients.every(({ peer }) => peer.count(opcodes.ping) > 1))
  for (const { peer } of clients) {
    peer.answersPings = true
    peer.write(frameOf(opcodes.pong))
  }
  stall(2000)
  const seen = clients.map(({ peer }) => peer.count(opcodes.ping))
  await until(() => clients.every(({ peer }, i) => peer.count(opcodes.ping) > seen[i] + 1))
  for (const { pid } of clients) t.equal(rig.processes.alive(pid), true)
})
