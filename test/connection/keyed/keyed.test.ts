// Connections whose target is a key, when its process ends.
import t from 'tap'
import { parseControl } from '../../../lib/connection/config.js'
import { deferred } from '../../process/helpers.js'
import { Lobby } from './visitors.js'
import type { Target } from '../../../lib/process/entity.js'
import type { Pid } from '../../../types/pid.js'

t.test('joins connections to the successor of a process that has failed', async (t) => {
  const lobby = new Lobby()
  const one = await lobby.visit()
  const two = await lobby.visit()
  await lobby.rig.settle()
  one.transport.send('crash')
  await lobby.rig.settle()
  two.transport.send('hello')
  await lobby.rig.settle()
  t.same(lobby.mail, [
    'ws.join,ws.join,ws.message crash', 'ws.join+rejoined,ws.join+rejoined,ws.message hello'
  ])
  t.equal(lobby.rig.relay.counters.parked, 0)
  t.match(two.connection.describe(), { target: lobby.keyed.peek('a'), parked: false })
})

for (const [what, options, config] of [
  ['its kind does not park', { park: 0 }, {}],
  ['its header says close', {}, { on_target_exit: 'close' }]
] as const) {
  t.test(`closes the connection of a process that has failed when ${what}`, async (t) => {
    const lobby = new Lobby(options)
    const { transport } = await lobby.visit('a', config)
    transport.send('crash')
    await lobby.rig.settle()
    t.match(transport.seen, { code: 1011 })
    t.equal(lobby.rooms.length, 1, 'nobody waits for a successor')
  })
}

for (const [what, options, config, time] of [
  ['as its kind says', { park: '2s' }, {}, 2000],
  ['as its header says', { park: 0 }, { park: '3s' }, 3000],
  ['for the default if its header says park', { park: 0 }, { on_target_exit: 'park' }, 10_000]
] as const) {
  t.test(`waits ${what}`, async (t) => {
    const backoff = { initial: '1m', max: '1m' }
    const lobby = new Lobby({ ...options, backoff })
    const { transport, connection } = await lobby.visit('a', config)
    transport.send('crash')
    await lobby.rig.settle()
    t.match(connection.describe(), { parked: true })
    await lobby.rig.advance(time - 100)
    t.equal(transport.seen, undefined)
    await lobby.rig.advance(400)
    t.match(transport.seen, { code: 1011 })
  })
}

t.test('joins a connection after the delay of a start', async (t) => {
  const lobby = new Lobby({ backoff: { initial: '1s', max: '1s', jitter: 0 } })
  const { transport } = await lobby.visit()
  transport.send('crash')
  await lobby.rig.settle()
  t.equal(lobby.rooms.length, 1)
  t.equal(transport.isPaused, true)
  await lobby.rig.advance(1100)
  t.same(lobby.mail, ['ws.join,ws.message crash', 'ws.join+rejoined'])
  t.equal(transport.isPaused, false)
})

for (const maxRestarts of [0, 3]) {
  t.test(`asks again when the next process is ended at once, with ${maxRestarts} restarts`,
    async (t) => {
      const lobby = new Lobby({ maxRestarts: 1 + maxRestarts, park: '10s' })
      const { transport } = await lobby.visit()
      await lobby.rig.settle()
      const { processes } = lobby.rig
      processes.exit('@room/a', 'boom')
      processes.exit('@room/a', 'boom')
      await lobby.rig.settle()
      const isRefused = maxRestarts === 0
      t.same(lobby.mail, isRefused ? ['ws.join'] : ['ws.join', 'ws.join+rejoined'])
      t.match(transport.seen, isRefused ? { code: 1011 } : undefined)
    })
}

t.test('stays with its process when a transfer finds the same one', async (t) => {
  const lobby = new Lobby()
  const { transport, connection } = await lobby.visit()
  const { promise, resolve } = deferred()
  lobby.load = () => promise
  transport.send('crash')
  await lobby.rig.settle()
  const change = { target_pid: lobby.keyed.key('a'), metadata: { a: 1 } }
  const moved = lobby.rig.processes.call(connection.pid, 'ws.control', change)
  await lobby.rig.settle()
  resolve()
  await lobby.rig.settle()
  await moved
  t.equal(lobby.mail[1], 'ws.join+rejoined')
  lobby.rig.processes.send('@room/a', 'stop')
  await lobby.rig.settle()
  t.match(transport.seen, { code: 1000 }, 'it is told of the end')
})

/** A process of another node that takes no more messages: its node has not told of its end yet. */
const pid = '9@b.1' as Pid
const stopped = {
  pid,
  congested: false,
  accept: (topic: string) => topic !== 'ws.message',
  subscribeToDrain () {},
  unsubscribeFromDrain () {}
} as unknown as Target
const binding = { isRemote: true, attachConnection () {}, release () {} }

/** A parked connection that holds the message `one`: its process starts again after a second. */
async function holding () {
  const lobby = new Lobby({ backoff: { initial: '1s', max: '1s', jitter: 0 } })
  const { transport, connection } = await lobby.visit()
  transport.send('crash')
  await lobby.rig.settle()
  connection.onMessage('one', 3)
  return { lobby, connection }
}

t.test('keeps what it held when the next target takes no more messages', async (t) => {
  const { lobby, connection } = await holding()
  connection.rejoin(stopped, true, binding)
  connection.targetEnded({ pid, reason: 'boom' })
  await lobby.rig.advance(1100)
  t.equal(lobby.mail[1], 'ws.join+rejoined,ws.message one')
})

t.test('keeps what it held when a transfer finds a target that takes no more', async (t) => {
  const { lobby, connection } = await holding()
  const parsed = parseControl({ target_pid: lobby.keyed.key('b') }, lobby.rig.settings)
  if (!parsed.ok) throw new Error(parsed.problem)
  const asked = { binding, waitsFor: 'node' as const, requestBinding () {}, release () {} }
  const request = { change: parsed.value, call: undefined }
  connection.applyRemoteControl(request, asked, { ok: true, value: stopped })
  connection.targetEnded({ pid, reason: 'boom' })
  await lobby.rig.advance(1100)
  t.ok(lobby.mail.includes('ws.join+rejoined,ws.message one'), lobby.mail.join(' | '))
  t.equal(connection.describe().target, lobby.keyed.peek('b'))
})

t.test('closes parked connections with 1011 when a key is refused', async (t) => {
  const backoff = { initial: '1s', max: '1s', jitter: 0 }
  const lobby = new Lobby({ maxRestarts: 1, period: '5s', backoff })
  const { transport } = await lobby.visit()
  transport.send('crash')
  await lobby.rig.settle()
  await lobby.rig.advance(1100)
  t.equal(lobby.rooms.length, 2)
  transport.send('crash')
  await lobby.rig.settle()
  t.match(transport.seen, { code: 1011, reason: 'target process exited' })
  t.equal(lobby.rig.relay.counters.parked, 0)
  t.equal(lobby.rooms.length, 2)
})

t.test('closes a connection that is parked already when its key is refused', async (t) => {
  const lobby = new Lobby({ maxRestarts: 0, period: '5s' })
  const parked = await lobby.visit()
  lobby.rig.runtime.nameTable.addWaiter('@room/a', {
    timeLeft: 1, nameRegistered () {}, nameRefused () { refused++ }
  })
  let refused = 0
  parked.transport.send('crash')
  await lobby.rig.settle()
  t.equal(refused, 1)
  t.match(parked.transport.seen, { code: 1011 })
})

t.test('joins clients to the next process when one stops before their join', async (t) => {
  const lobby = new Lobby()
  const first = await lobby.visit()
  await lobby.rig.settle()
  first.transport.send('stop')
  const late = lobby.bind('@room/a')
  const gone = lobby.bind('@room/a')
  late.transport.send('one')
  gone.transport.send('lost')
  gone.transport.leave(1000, '')
  lobby.rig.processes.send('@room/a', 'notice')
  late.transport.send('two')
  first.transport.send('lost')
  const { deadLetters } = lobby.rig.processes.stats()
  await lobby.rig.settle()
  late.transport.send('three')
  await lobby.rig.settle()
  t.same(lobby.mail, [
    'ws.join,ws.message stop', 'ws.join,ws.message one,ws.message two,ws.message three'
  ])
  t.match(first.transport.seen, { code: 1000 })
  t.equal(late.transport.seen, undefined)
  t.equal(lobby.rig.processes.stats().deadLetters - deadLetters, 6,
    'two joins, messages and a leave of clients that have gone, a notice')
  t.equal(lobby.rig.relay.counters.parked, 0)
})

t.test('hands on the mail of the process before what was held since', async (t) => {
  const lobby = new Lobby()
  const first = await lobby.visit()
  await lobby.rig.settle()
  const { promise, resolve } = deferred()
  lobby.load = () => promise
  first.transport.send('stop')
  const late = lobby.bind('@room/a')
  late.transport.send('one')
  await lobby.rig.settle()
  t.match(late.connection.describe(), { parked: true })
  // As a session reads one message on each of its sockets.
  late.connection.onMessage('two', 3)
  resolve()
  await lobby.rig.settle()
  t.equal(lobby.mail[1], 'ws.join,ws.message one,ws.message two')
})

t.test('joins late clients also where clients of a failed process do not wait', async (t) => {
  const lobby = new Lobby({ park: 0 })
  const first = await lobby.visit()
  first.transport.send('stop')
  const late = lobby.bind('@room/a', { on_target_exit: 'close' })
  await lobby.rig.settle()
  t.same(lobby.mail, ['ws.join,ws.message stop', 'ws.join'])
  t.equal(late.transport.seen, undefined)
})

t.test('closes late clients of a process that is cancelled', async (t) => {
  const lobby = new Lobby()
  const { transport } = await lobby.visit()
  await lobby.rig.settle()
  const stopped = lobby.keyed.stop('a')
  await lobby.rig.settle()
  await stopped
  t.match(transport.seen, { code: 1000 })
})

t.test('has a process for clients that come while the old one cleans up', async (t) => {
  const lobby = new Lobby()
  const { promise, resolve } = deferred()
  lobby.cleanUp = () => promise
  const first = await lobby.visit()
  first.transport.send('stop')
  await lobby.rig.settle()
  first.transport.send('too late')
  const second = await lobby.visit()
  second.transport.send('hello')
  await lobby.rig.settle()
  t.same(lobby.mail, ['ws.join,ws.message stop', 'ws.join,ws.message hello'])
  resolve()
  await lobby.rig.settle()
  t.match(first.transport.seen, { code: 1000 })
  t.equal(second.transport.seen, undefined)
})

t.test('does not idle with a client, and idles after the last one', async (t) => {
  const lobby = new Lobby({ idle: '1s' })
  const one = await lobby.visit()
  const two = await lobby.visit()
  await lobby.rig.settle()
  await lobby.rig.advance(10_000)
  t.same(lobby.keyed.list(), ['a'])
  one.transport.leave(1000, '')
  await lobby.rig.settle()
  await lobby.rig.advance(10_000)
  t.same(lobby.keyed.list(), ['a'])
  const other = lobby.rig.target()
  await lobby.rig.settle()
  lobby.rig.processes.send(two.connection.pid, 'ws.control', { target_pid: other.pid })
  await lobby.rig.settle()
  await lobby.rig.advance(900)
  t.same(lobby.keyed.list(), ['a'])
  await lobby.rig.advance(200)
  t.same(lobby.keyed.list(), [], 'a client that was transferred does not count')
})

t.test('transfers to a key, which starts its process', async (t) => {
  const lobby = new Lobby()
  const { connection, transport } = await lobby.visit()
  const { processes } = lobby.rig
  const call = processes.call(connection.pid, 'ws.control', { target_pid: lobby.keyed.key('b') })
  transport.send('before')
  await lobby.rig.settle()
  await call
  transport.send('after')
  await lobby.rig.settle()
  t.same(lobby.mail, ['ws.join,ws.message before,ws.leave', 'ws.join,ws.message after'])
  const same = processes.call(connection.pid, 'ws.control', {
    target_pid: lobby.keyed.key('b'), metadata: { a: 1 }
  })
  await lobby.rig.settle()
  await same
  t.equal(lobby.mail[1], 'ws.join,ws.message after', 'it is there already')
  transport.send('crash')
  await lobby.rig.settle()
  t.equal(lobby.mail[2], 'ws.join+rejoined', 'it parks as the kind says')
  await processes.call(connection.pid, 'ws.control', { target_pid: lobby.keyed.key('a') })
  t.equal(connection.describe().target, lobby.keyed.peek('a'))
})

t.test('changes how a connection of a key parks', async (t) => {
  const lobby = new Lobby({ park: '2s', maxRestarts: 100 })
  const { connection } = await lobby.visit()
  const { processes } = lobby.rig
  const outcome = async (...changes: object[]): Promise<string> => {
    const one = lobby.bind(lobby.keyed.key('a'))
    await lobby.rig.settle()
    for (const change of changes) processes.send(one.connection.pid, 'ws.control', change)
    lobby.keyed.peek('a')
    const rooms = lobby.rooms.length
    processes.exit(lobby.keyed.key('a'), 'boom')
    await lobby.rig.settle()
    t.equal(lobby.rooms.length, rooms + 1)
    const { seen } = one.transport
    one.transport.leave(1000, '')
    await lobby.rig.settle()
    return seen === undefined ? 'parked' : 'closed'
  }
  t.equal(await outcome(), 'parked')
  t.equal(await outcome({ metadata: { a: 1 } }), 'parked')
  t.equal(await outcome({ on_target_exit: 'close' }), 'closed')
  t.equal(await outcome({ on_target_exit: 'close' }, { metadata: {} }), 'closed')
  t.equal(await outcome({ on_target_exit: 'close' }, { park: null }), 'parked')
  t.equal(await outcome({ on_target_exit: 'close' }, { on_target_exit: 'park' }), 'parked')
  t.equal(await outcome({ on_target_exit: 'close' }, { park: '1s' }), 'parked')
  const other = lobby.rig.target()
  const call = processes.call(connection.pid, 'ws.control', { target_pid: other.pid })
  await lobby.rig.settle()
  await t.resolves(call, 'a policy of a kind does not keep a connection')
})

t.test('rejects a transfer to a key that cannot start', async (t) => {
  const lobby = new Lobby({ max: 1 })
  const { connection } = await lobby.visit()
  const call = lobby.rig.processes.call(connection.pid, 'ws.control', {
    target_pid: lobby.keyed.key('b')
  })
  await lobby.rig.settle()
  await t.rejects(call, { code: 'FST_WS_RELAY_TRANSFER_REFUSED', message: /too many of its kind/ })
  const failing = lobby.rig.processes.keyed('failing', { start: () => { throw new Error('boom') } })
  const next = lobby.rig.processes.call(connection.pid, 'ws.control', {
    target_pid: failing.key('a')
  })
  await lobby.rig.settle()
  await t.rejects(next, /its start has failed/)
  t.equal(connection.describe().target, lobby.keyed.peek('a'))
})

t.test('ignores a start that a connection does not wait for any more', async (t) => {
  const lobby = new Lobby()
  const { connection, transport } = await lobby.visit()
  const { promise, resolve } = deferred()
  const slow = lobby.rig.processes.keyed('slow', {
    start: async (self) => {
      await promise
      await self.serve({})
    }
  })
  const never = lobby.rig.processes.keyed('never', { start: () => { throw new Error('boom') } })
  for (const kind of [slow, never]) {
    lobby.rig.processes.send(connection.pid, 'ws.control', { target_pid: kind.key('a') })
  }
  transport.leave(1000, '')
  resolve()
  await lobby.rig.settle()
  t.equal(lobby.rig.relay.counters.open, 0)
})

t.test('refuses a connection to a process that may not start yet', async (t) => {
  const lobby = new Lobby({ backoff: { initial: '1s', max: '1s' } })
  lobby.rig.processes.send('@room/a', 'stop')
  await lobby.rig.settle()
  lobby.rig.processes.exit('@room/a', 'boom')
  lobby.rig.processes.send('@room/a', 'one')
  await lobby.rig.settle()
  lobby.rig.processes.exit('@room/a', 'boom')
  lobby.rig.processes.send('@room/a', 'two')
  const { connection } = await lobby.visit('b')
  const call = lobby.rig.processes.call(connection.pid, 'ws.control', {
    target_pid: lobby.keyed.peek('a')
  })
  await lobby.rig.settle()
  await t.rejects(call, /it has not started/)
})

t.test('counts nothing for a leave of a client that joined another process', async (t) => {
  const lobby = new Lobby({ idle: '1s' })
  const { transport } = await lobby.visit()
  transport.send('crash')
  await lobby.rig.settle()
  transport.leave(1000, '')
  await lobby.rig.settle()
  await lobby.rig.advance(1100)
  t.same(lobby.keyed.list(), [])
})

t.test('keeps nothing but the messages of late clients', async (t) => {
  const lobby = new Lobby()
  const first = await lobby.visit()
  await lobby.rig.settle()
  first.transport.send('stop')
  const { connection: { pid }, connection } = lobby.bind('@room/a')
  connection.sendHeartbeat()
  const sender = { pid, hasEnded: false } as never
  const payloads = [undefined, null, 5, {}, { client_pid: first.connection.pid, data: 'x' }]
  for (const payload of payloads) {
    lobby.rig.runtime.messenger.send('@room/a', 'note', payload, sender)
  }
  const { deadLetters } = lobby.rig.processes.stats()
  await lobby.rig.settle()
  t.same(lobby.mail, ['ws.join,ws.message stop', 'ws.join'])
  t.equal(lobby.rig.processes.stats().deadLetters - deadLetters, 2 + payloads.length)
})
