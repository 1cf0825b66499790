// Connections of a key whose process has failed, while its successor loads its state.
import t from 'tap'
import { deferred } from '../../process/helpers.js'
import { Lobby } from './visitors.js'

t.test('closes a connection when the successor loads for longer than it waits', async (t) => {
  const lobby = new Lobby({ park: '2s' })
  const { promise, resolve } = deferred()
  const patient = await lobby.visit()
  const { transport, connection } = await lobby.visit('a', { park: '500ms' })
  lobby.load = () => promise
  transport.send('crash')
  await lobby.rig.settle()
  t.equal(lobby.rooms.length, 2)
  t.match(connection.describe(), { parked: true })
  await lobby.rig.advance(400)
  t.equal(transport.seen, undefined)
  await lobby.rig.advance(200)
  t.match(transport.seen, { code: 1011, reason: 'target process exited' }, 'as its header says')
  t.equal(patient.transport.seen, undefined)
  await lobby.rig.advance(1600)
  t.match(patient.transport.seen, { code: 1011 }, 'as the kind says')
  t.equal(lobby.rig.relay.counters.parked, 0)
  resolve()
  await lobby.rig.settle()
  t.same(lobby.mail, ['ws.join,ws.join,ws.message crash', ''])
})

t.test('joins a connection when the successor has loaded', async (t) => {
  const lobby = new Lobby({ park: '2s' })
  const { promise, resolve } = deferred()
  const { transport, connection } = await lobby.visit()
  lobby.load = () => promise
  transport.send('crash')
  await lobby.rig.settle()
  await lobby.rig.advance(1900)
  t.equal(transport.isPaused, true)
  resolve()
  await lobby.rig.settle()
  t.match(connection.describe(), { parked: false, target: lobby.keyed.peek('a') })
  await lobby.rig.advance(5000)
  transport.send('hello')
  await lobby.rig.settle()
  t.equal(lobby.mail[1], 'ws.join+rejoined,ws.message hello')
  t.equal(transport.seen, undefined)
})

t.test('starts the next process at once when a successor cannot load', async (t) => {
  const lobby = new Lobby()
  const one = await lobby.visit()
  const two = await lobby.visit()
  lobby.load = async () => {
    if (lobby.rooms.length < 4) throw new Error('unloadable')
  }
  one.transport.send('crash')
  await lobby.rig.settle()
  t.same(lobby.mail, [
    'ws.join,ws.join,ws.message crash', '', '', 'ws.join+rejoined,ws.join+rejoined'
  ])
  t.equal(two.transport.seen, undefined)
  t.match(lobby.rig.processes.stats().keyed.room, { started: 4, crashed: 3 })
})

t.test('closes connections when successors fail to load too often', async (t) => {
  const lobby = new Lobby({ maxRestarts: 2, period: '5s' })
  const { transport } = await lobby.visit()
  lobby.load = async () => { throw new Error('unloadable') }
  transport.send('crash')
  await lobby.rig.settle()
  t.equal(lobby.rooms.length, 3)
  t.match(transport.seen, { code: 1011, reason: 'target process exited' })
  t.equal(lobby.rig.relay.counters.parked, 0)
})

t.test('starts nothing for a connection that has ended while a successor loaded', async (t) => {
  const lobby = new Lobby()
  const { promise, reject } = deferred()
  const { transport, connection } = await lobby.visit()
  lobby.load = () => promise
  transport.send('crash')
  await lobby.rig.settle()
  lobby.rig.processes.exit(connection.pid)
  reject(new Error('unloadable'))
  await lobby.rig.settle()
  t.equal(lobby.rooms.length, 2)
})

for (const [what, word, join] of [
  ['fails', 'crash', 'ws.join+rejoined'], ['stops before a join', 'stop', 'ws.join']
] as const) {
  t.test(`starts a successor when the only process that may be alive ${what}`, async (t) => {
    const lobby = new Lobby({ max: 1 })
    const first = await lobby.visit()
    first.transport.send(word)
    const late = word === 'stop' ? lobby.bind('@room/a') : first
    await lobby.rig.settle()
    t.equal(late.transport.seen, undefined)
    t.same(lobby.mail[1], join)
    t.match(lobby.rig.processes.stats().keyed.room, { alive: 1, started: 2, refused: 0 })
  })
}

t.test('closes a connection when another key takes the place of its successor', async (t) => {
  const lobby = new Lobby({ max: 1 })
  const { promise, reject } = deferred()
  const { transport } = await lobby.visit()
  lobby.load = () => promise
  transport.send('crash')
  await lobby.rig.settle()
  lobby.load = undefined
  lobby.rig.runtime.exitSignals.monitor(lobby.keyed.peek('a')!, {
    targetEnded: () => { lobby.rig.processes.send('@room/b', 'one') }
  })
  reject(new Error('unloadable'))
  await lobby.rig.settle()
  t.match(transport.seen, { code: 1011 })
  t.same(lobby.keyed.list(), ['b'])
  t.equal(lobby.rig.relay.counters.parked, 0)
})
