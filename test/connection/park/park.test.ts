// Connections whose target fails while they park, on the virtual clock.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import t from 'tap'
import { success } from '../../../lib/shared/result.js'
import { WebSocketClient } from '../transports/clients.js'
import { maxHeldMessages } from '../../../lib/connection/park/parked-target.js'
import { House, stoppingRoom } from './house.js'
import type { Binding } from '../../../lib/connection/target/binding.js'
import type { Target } from '../../../lib/process/entity.js'
import type { Room } from './house.js'
import type { Process } from '../../../types/processes.js'
import type { ConnectionEvent } from '../../../types/events.js'

/** A room that takes nothing until it is told to go on, and then fails. */
function deafRoom (): { body: (self: Process) => Promise<void>, fail: () => void } {
  let fail!: () => void
  const told = new Promise<void>((resolve) => { fail = resolve })
  return {
    fail,
    body: async () => {
      await told
      throw new Error('boom')
    }
  }
}

t.test('joins the successor, then hands over what waited, in order', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport, connection } = house.guest('room')
  await house.rig.settle()
  const seen: ConnectionEvent[] = []
  const listen = (event: unknown): void => { seen.push(event as ConnectionEvent) }
  subscribe('fastify-ws-relay:connection', listen)
  t.teardown(() => { unsubscribe('fastify-ws-relay:connection', listen) })
  await house.crash(first)
  t.match(connection.describe(), { parked: true, paused: true, monitors: [], target: first.pid })
  t.equal(house.parkedCount, 1)
  transport.send('one')
  transport.send('two')
  t.equal(house.processes.send(connection.pid, 'ws.send', { data: 'wait' }), true)
  t.strictSame(transport.received, ['twait'])
  const second = await house.room('room')
  t.strictSame(first.mail, ['ws.join'])
  t.strictSame(second.mail, ['ws.join+rejoined', 'ws.message one', 'ws.message two'])
  t.match(connection.describe(), { parked: false, paused: false, target: second.pid })
  t.equal(house.parkedCount, 0)
  const { pid } = connection
  t.match(seen, [
    { type: 'park', pid, target: first.pid, name: 'room', reason: 'boom' },
    { type: 'rejoin', pid, from: first.pid, target: second.pid }
  ])
})

t.test('closes with 1011 when the time is over and a process took the join', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport } = house.guest('room')
  await house.rig.settle()
  await house.crash(first)
  await house.rig.advance(999)
  t.equal(transport.seen, undefined)
  await house.rig.advance(101)
  t.match(transport.seen, { code: 1011, reason: 'target process exited' })
  t.equal(house.parkedCount, 0)
  t.equal(house.rig.runtime.nameTable.size, 0, 'nothing waits for the name')
})

t.test('closes with 1013 when the time is over and no process took the join', async (t) => {
  const house = new House()
  const first = await house.room('room', deafRoom().body)
  const { transport } = house.guest('room')
  await house.crash(first)
  await house.rig.advance(1100)
  t.match(transport.seen, { code: 1013, reason: 'target process exited' })
})

t.test('closes at once when a successor without the join fails after the time', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport, connection } = house.guest('room')
  await house.rig.settle()
  await house.crash(first)
  await house.rig.advance(500)
  const { body, fail } = deafRoom()
  await house.room('room', body)
  t.equal(connection.describe().parked, false)
  await house.rig.advance(700)
  t.equal(transport.seen, undefined, 'it is bound, so no time runs')
  fail()
  await house.rig.settle()
  t.match(transport.seen, { code: 1011 })
  t.equal(house.parkedCount, 0)
})

t.test('has the whole time again when a successor took the join', async (t) => {
  const house = new House()
  let room = await house.room('room')
  const { transport } = house.guest('room')
  await house.rig.settle()
  for (let i = 0; i < 4; i++) {
    await house.crash(room)
    await house.rig.advance(900)
    room = await house.room('room')
  }
  t.equal(transport.seen, undefined)
  t.strictSame(room.mail, ['ws.join+rejoined'])
})

for (const reason of ['normal', 'shutdown']) {
  t.test(`closes with 1000 when the target ends with ${reason}`, async (t) => {
    const house = new House()
    const { pid } = await house.room('room')
    const { transport } = house.guest('room')
    await house.rig.settle()
    if (reason === 'normal') transport.send('stop')
    else house.processes.cancel(pid)
    await house.rig.settle()
    t.match(transport.seen, { code: 1000 })
    t.equal(house.parkedCount, 0)
  })
}

t.test('ends without a park when the client has closed before the target fails', async (t) => {
  const house = new House()
  const { body, end } = stoppingRoom()
  const room = await house.room('room', body)
  const { transport, connection } = house.guest('room')
  const ends: string[] = []
  house.rig.runtime.exitSignals.monitor(connection.pid, {
    targetEnded: ({ reason }) => { ends.push(reason) }
  })
  // The end of a handover waits, as it does while a message is being inflated.
  transport.handOver = () => {}
  transport.leave(4000, 'bye')
  end()
  await house.crash(room)
  t.strictSame(ends, ['normal'])
  t.equal(house.parkedCount, 0)
})

t.test('waits while a connection has the name', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const other = await house.room('other')
  const guest = house.guest('room')
  const taker = house.guest('other')
  await house.rig.settle()
  await house.crash(first)
  house.processes.names.register('room', taker.connection.pid)
  await house.rig.settle()
  t.equal(guest.connection.describe().parked, true)
  house.processes.names.unregister('room')
  house.processes.names.register('room', other.pid)
  await house.rig.settle()
  t.equal(guest.connection.describe().target, other.pid)
})

t.test('joins at once when the name has another process already', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { connection } = house.guest('room')
  await house.rig.settle()
  house.processes.names.unregister('room')
  const second = await house.room('room')
  await house.crash(first)
  t.equal(connection.describe().target, second.pid)
  t.strictSame(second.mail, ['ws.join+rejoined'])
})

t.test('joins nobody when it is closed in the turn of the registration', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { connection } = house.guest('room')
  await house.rig.settle()
  await house.crash(first)
  const second = house.room('room')
  connection.end('killed', undefined, { cause: 'killed' })
  t.strictSame((await second).mail, [])
  t.equal(house.parkedCount, 0)
})

t.test('goes on waiting when its successor is there before it gives up', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport, connection } = house.guest('room')
  await house.rig.settle()
  await house.crash(first)
  const second = house.room('room')
  for (let i = 0; i <= maxHeldMessages; i++) connection.onMessage('x', 1)
  await second
  t.equal(transport.seen, undefined)
  t.equal((await second).mail.length, maxHeldMessages + 1)
})

t.test('counts a message as refused when the target refuses it and nothing parks', async (t) => {
  const house = new House()
  await house.room('room', stoppingRoom().body)
  const { transport } = house.guest('room', { on_target_exit: undefined, park: undefined })
  await house.rig.settle()
  const { refused } = house.processes.stats()
  transport.send('one')
  transport.send('two')
  t.equal(house.processes.stats().refused, refused + 2)
})

t.test('stays paused when the successor is full at once', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport, connection } = house.guest('room')
  await house.rig.settle()
  await house.crash(first)
  const { body, fail } = deafRoom()
  // The waiting connections are told before anybody else gets the PID.
  const second = house.room('room', body)
  const pid = house.processes.names.lookup('room')!
  for (let i = 0; i < 8; i++) house.processes.send(pid, 'fill')
  await second
  transport.send('one')
  t.match(connection.describe(), { parked: false, paused: true, target: pid })
  fail()
  await house.rig.settle()
  t.equal(connection.describe().parked, true)
})

t.test('pauses a WebSocket once, and not when it closes', async (t) => {
  const { rig } = new House()
  const client = new WebSocketClient(rig)
  const connection = rig.connect(rig.target(), client.transport)
  await rig.settle()
  client.transport.pause()
  client.transport.pause()
  t.equal(rig.relay.counters.traffic.paused, 1)
  client.transport.resume()
  t.equal(rig.relay.counters.traffic.paused, 0)
  connection.cancel()
  client.transport.pause()
  t.equal(rig.relay.counters.traffic.paused, 0)
  await rig.advance(100)
})

// Transfer

async function parked (): Promise<{ house: House, first: Room } & ReturnType<House['guest']>> {
  const house = new House()
  const first = await house.room('room')
  const guest = house.guest('room')
  await house.rig.settle()
  await house.crash(first)
  return { house, first, ...guest }
}

t.test('is transferred to another name while it waits, and parks there', async (t) => {
  const { house, connection, transport } = await parked()
  transport.send('one')
  const other = await house.room('other')
  t.equal(house.processes.send(connection.pid, 'ws.control', { target_pid: 'other' }), true)
  await house.rig.settle()
  t.strictSame(other.mail, ['ws.join', 'ws.message one'])
  t.equal(house.parkedCount, 0)
  await house.crash(other)
  t.equal(connection.describe().parked, true)
  const next = await house.room('other')
  t.strictSame(next.mail, ['ws.join+rejoined'])
})

t.test('refuses a transfer to a PID while it parks, and takes one that ends the park', async (t) => {
  const { house, connection } = await parked()
  const other = await house.room()
  const change = { target_pid: other.pid }
  t.equal(house.processes.send(connection.pid, 'ws.control', change), false)
  t.equal(connection.describe().parked, true)
  const both = { ...change, on_target_exit: 'close' } as const
  t.equal(house.processes.send(connection.pid, 'ws.control', both), true)
  t.equal(connection.describe().target, other.pid)
  await house.crash(other)
  t.equal(house.parkedCount, 0)
})

t.test('parks after a ws.control that names the target, and not before', async (t) => {
  const house = new House()
  const room = await house.room('room')
  const { connection } = house.guest('room', { on_target_exit: 'close', park: undefined })
  const control = (change: object): boolean => {
    return house.processes.send(connection.pid, 'ws.control', change)
  }
  t.equal(control({ on_target_exit: 'park' }), false)
  t.equal(control({ park: '1s' }), false)
  t.equal(control({ target_pid: 'room', on_target_exit: 'park', park: null }), true)
  await house.rig.settle()
  await house.crash(room)
  await house.rig.advance(9999)
  t.equal(connection.describe().parked, true, 'ten seconds by default')
  const next = await house.room('room')
  t.strictSame(next.mail, ['ws.join+rejoined'])
  t.equal(control({ park: '2s' }), true)
  t.equal(control({ on_target_exit: null }), true)
  await house.crash(next)
  t.equal(house.parkedCount, 0)
})

t.test('refuses a process of another node while it parks', async (t) => {
  const { house, connection } = await parked()
  let released = 0
  const binding = { release () { released++ } } as unknown as Binding
  const change = { target: '1@other.a' }
  const answer = success({ pid: change.target } as unknown as Target)
  connection.applyRemoteControl({ change, call: undefined }, binding, answer)
  t.equal(released, 1)
  t.equal(connection.describe().parked, true)
  t.equal(house.parkedCount, 1)
})

t.test('is closed while it waits, as it is when it does not', async (t) => {
  const { house, connection, transport } = await parked()
  connection.cancel()
  await house.rig.settle()
  t.match(transport.seen, { code: 1001 })
  t.equal(house.parkedCount, 0)
  t.equal(house.rig.runtime.nameTable.size, 0)
})
