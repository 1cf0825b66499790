// `ws.close`, the close handshake, and clients that do not complete it.
import t from 'tap'
import { frameOf, allGone, closeOf, joined, nothing, remains, start, textOf } from '../support.js'
import { opcodes } from '../../../../lib/websocket/frames.js'
import { until } from '../../../helpers.js'
import { saw } from './cases.js'
import type { Seen } from '../peer.js'

t.test('sends a slow client its close frame after the frames sent before', async t => {
  const rig = await start(t, { maxBufferedAmount: 1000 })
  const { peer, pid, target } = await joined(t, rig)
  const ended = rig.processes.exited(pid)
  peer.socket.pause()
  let sent = 0
  while (rig.processes.send(pid, 'ws.send', { data: 'x'.repeat(100_000) })) sent++
  t.strictSame((await target.until('ws.leave'))[0], {
    client_pid: pid,
    reason: 'client too slow',
    code: 1013,
    cause: 'slow',
    metadata: {}
  })
  t.equal((await ended).reason, 'slow_client')
  peer.socket.resume()
  t.strictSame(await peer.end(), saw(1013, 'client too slow'))
  t.equal(peer.texts.length, sent)
  await allGone(rig)
})

t.test('replaces a close code that may not be sent by 1011, with a warning', async t => {
  const warnings: string[] = []
  const rig = await start(
    t,
    {},
    {
      logger: {
        level: 'warn',
        stream: {
          write: (line) => {
            warnings.push(JSON.parse(line).msg)
          }
        }
      }
    }
  )
  for (const [code, seen] of [
    [1000, 1000],
    [1001, 1001],
    [1003, 1003],
    [1007, 1007],
    [1014, 1014],
    [3000, 3000],
    [4999, 4999],
    [999, 1011],
    [1004, 1011],
    [1005, 1011],
    [1006, 1011],
    [1015, 1011],
    [1016, 1011],
    [2999, 1011],
    [5000, 1011],
    [NaN, 1011],
    ['1000', 1011],
    [1000.5, 1011],
    [null, 1011],
    [Infinity, 1011],
    [-1, 1011],
    [{}, 1011]
  ] as Array<[unknown, number]>) {
    warnings.length = 0
    const { peer, pid, target } = await joined(t, rig)
    t.equal(rig.processes.send(pid, 'ws.close', { code, reason: 'r' } as never), true)
    t.strictSame(await peer.end(), saw(seen, 'r'), `code ${String(code)}`)
    t.match((await target.until('ws.leave'))[0], { code: seen, reason: 'r', cause: 'process' })
    t.equal(warnings.length, seen === code ? 0 : 1)
  }
})

t.test('accepts an object, a reason or nothing as ws.close', async t => {
  const rig = await start(t)
  for (const [payload, sees] of [
    [undefined, saw(1000)],
    [null, saw(1000)],
    [{}, saw(1000)],
    ['bye', saw(1000, 'bye')],
    [{ reason: 'bye' }, saw(1000, 'bye')],
    [{ code: 4000 }, saw(4000)],
    [{ code: 4000, reason: `${'x'.repeat(122)}é` }, saw(4000, 'x'.repeat(122))],
    ['漢'.repeat(100), saw(1000, '漢'.repeat(41))]
  ] as Array<[unknown, Seen]>) {
    const { peer, pid, target } = await joined(t, rig)
    t.equal(await rig.processes.call(pid, 'ws.close', payload as never), undefined)
    t.strictSame(await peer.end(), sees)
    t.strictSame((await target.until('ws.leave'))[0], {
      client_pid: pid,
      ...sees,
      cause: 'process',
      metadata: {}
    })
  }
})

t.test('changes nothing when a ws.close is malformed', async t => {
  const rig = await start(t)
  const { peer, pid, target } = await joined(t, rig)
  const getter = { get code () { throw new Error('no') } }
  for (const payload of [5, true, ['bye'], { reason: 5 }, getter]) {
    const { refused } = rig.processes.stats()
    t.equal(rig.processes.send(pid, 'ws.close', payload as never), false)
    t.equal(rig.processes.stats().refused, refused + 1)
    await t.rejects(rig.processes.call(pid, 'ws.close', payload as never), {
      code: 'FST_WS_RELAY_INVALID_PAYLOAD'
    })
  }
  peer.text('still here')
  t.strictSame(await target.until('ws.message').then(([{ data }]) => data), 'still here')
})

t.test('sends the close frame after all earlier frames', async t => {
  const rig = await start(t)
  const { peer, pid } = await joined(t, rig)
  const sent = Array.from({ length: 300 }, (_, i) => `${i} ${'x'.repeat(i * 20)}`)
  for (const data of sent) rig.processes.send(pid, 'ws.send', { data })
  rig.processes.send(pid, 'ws.close', { code: 4000 })
  t.equal(rig.processes.send(pid, 'ws.send', { data: 'too late' }), false)
  t.strictSame(await peer.end(), saw(4000))
  t.strictSame(peer.texts, sent)
})

t.test('completes the close when both sides close at the same time', async t => {
  const rig = await start(t)
  const { peer, pid, target } = await joined(t, rig)
  peer.answersClose = false
  rig.processes.send(pid, 'ws.close', { code: 4000 })
  peer.close(4001, 'me too')
  t.strictSame(await peer.end(), saw(4000))
  t.match(await target.until('ws.leave'), [{ cause: 'process', code: 4000 }])
  await allGone(rig)
  t.equal(target.of('ws.leave').length, 1)
})

t.test('destroys the socket of a client that never answers the close', async t => {
  const rig = await start(t, { closeTimeout: 1000 })
  const { peer, pid, target } = await joined(t, rig)
  peer.answersClose = false
  const before = performance.now()
  rig.processes.send(pid, 'ws.close', { code: 4000 })
  await target.until('@exit')
  t.equal(rig.relay.connections.size, 1, 'the leave and @exit do not wait for the socket')
  t.equal(rig.processes.alive(pid), false)
  await until(() => peer.seen !== undefined)
  await peer.end()
  t.ok(performance.now() - before >= 1000)
  t.strictSame(target.topics, ['ws.join', 'ws.leave', '@exit'])
  await allGone(rig)
})

t.test('destroys the socket of a client that never reads, too', async t => {
  const rig = await start(t, { closeTimeout: 100 })
  const { peer, pid, target } = await joined(t, rig)
  peer.socket.pause()
  while (rig.processes.info(pid)!.buffered === 0) {
    rig.processes.send(pid, 'ws.send', { data: 'x'.repeat(100_000) })
    await new Promise(setImmediate)
  }
  rig.processes.send(pid, 'ws.close')
  await target.until('@exit')
  t.match(target.of('ws.leave'), [{ cause: 'process', code: 1000 }])
  await allGone(rig)
  t.strictSame(remains(rig), nothing, 'nothing waits for it any more')
})

t.test('drops messages that a client sends after the end', async t => {
  const rig = await start(t)
  const { peer, pid, target } = await joined(t, rig)
  peer.answersClose = false
  rig.processes.send(pid, 'ws.close')
  await until(() => peer.seen !== undefined)
  peer.write(
    textOf('late'),
    frameOf(opcodes.ping, 'late'),
    frameOf(opcodes.pong),
    frameOf(opcodes.binary, 'late')
  )
  peer.close()
  await peer.end()
  await target.until('@exit')
  t.strictSame(target.topics, ['ws.join', 'ws.leave', '@exit'])
  t.equal(peer.count(opcodes.pong), 0)
})

t.test('closes the socket of a client that breaks the protocol after the end', async t => {
  const rig = await start(t)
  const { peer, pid } = await joined(t, rig)
  peer.answersClose = false
  rig.processes.send(pid, 'ws.close', { code: 4000 })
  await until(() => peer.seen !== undefined)
  peer.write(Buffer.from([0x81, 0]))
  t.strictSame(await peer.end(), saw(4000))
  await allGone(rig)
})

t.test('a message in the same write as the close frame comes before the leave', async t => {
  const rig = await start(t)
  const { peer, target } = await joined(t, rig)
  peer.write(textOf('a'), textOf('b'), closeOf(4000, 'end'), textOf('after'))
  await target.until('@exit')
  t.strictSame(target.topics, ['ws.join', 'ws.message', 'ws.message', 'ws.leave', '@exit'])
  t.strictSame(target.texts, ['a', 'b'])
})
