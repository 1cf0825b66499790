// Messages that parked connections hold: each is handed over or counted, once.
import t from 'tap'
import { maxHeldMessages } from '../../../lib/connection/park/parked-target.js'
import { House, stoppingRoom } from './house.js'

t.test('holds what is sent while the target refuses mail, for its successor', async (t) => {
  const house = new House()
  const { body, end } = stoppingRoom()
  await house.room('room', body)
  const { transport, connection } = house.guest('room', { heartbeat_interval: 100 })
  await house.rig.settle()
  transport.send('one')
  transport.send('two')
  t.equal(connection.describe().paused, true)
  await house.rig.advance(150)
  end(new Error('boom'))
  await house.rig.settle()
  const second = await house.room('room')
  t.strictSame(second.mail, ['ws.join+rejoined', 'ws.message one', 'ws.message two'])
})

t.test('counts what it holds as dead letters when the target ends in order', async (t) => {
  const house = new House()
  const { body, end } = stoppingRoom()
  await house.room('room', body)
  const { transport } = house.guest('room')
  await house.rig.settle()
  transport.send('one')
  const { deadLetters } = house.processes.stats()
  end()
  await house.rig.settle()
  t.match(transport.seen, { code: 1000 })
  t.equal(house.processes.stats().deadLetters, deadLetters + 1)
})

t.test('counts what it holds once when it has held messages before', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport } = house.guest('room')
  await house.rig.settle()
  await house.crash(first)
  const { body, end } = stoppingRoom()
  await house.room('room', body)
  transport.send('one')
  await house.rig.settle()
  transport.send('two')
  const { deadLetters } = house.processes.stats()
  end()
  await house.rig.settle()
  t.match(transport.seen, { code: 1000 })
  t.equal(house.processes.stats().deadLetters, deadLetters + 1)
})

t.test('counts what it reads at its end as refused when its target is stopping', async (t) => {
  const house = new House()
  const { body } = stoppingRoom()
  const room = await house.room('room', body)
  const { transport, connection } = house.guest('room')
  await house.rig.settle()
  transport.pause()
  transport.send('one')
  transport.send('two')
  house.processes.send(room.pid, 'stop')
  await house.rig.settle()
  const { refusedBy } = house.rig.runtime.counters
  const { stopping } = refusedBy
  house.processes.send(connection.pid, 'ws.close')
  t.equal(refusedBy.stopping, stopping + 3, 'both messages and the leave')
})

t.test('counts what was not read yet as dead letters when a parked client leaves', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport, connection } = house.guest('room')
  await house.rig.settle()
  await house.crash(first)
  transport.send('one')
  const { deadLetters } = house.processes.stats()
  house.processes.send(connection.pid, 'ws.close')
  await house.rig.settle()
  t.match(transport.seen, { code: 1000 })
  t.equal(house.processes.stats().deadLetters, deadLetters + 1)
  t.equal(house.parkedCount, 0)
})

t.test('closes with 1011 when a client sends too much on many sockets while it waits', async (t) => {
  const big = Buffer.alloc(600 * 1024, 'x')
  const cases = [[Buffer.from('x'), maxHeldMessages], [big, 2]] as const
  for (const [data, held] of cases) {
    const house = new House()
    const first = await house.room('room')
    const { transport, connection } = house.guest('room')
    await house.rig.settle()
    await house.crash(first)
    const { deadLetters } = house.processes.stats()
    // Each socket of a session is read until its first message.
    for (let i = 0; i < held; i++) connection.onMessage(data, data.length)
    await house.rig.settle()
    t.equal(connection.describe().parked, true)
    t.equal(house.processes.stats().deadLetters, deadLetters)
    for (let i = 0; i < 2; i++) connection.onMessage(data, data.length)
    await house.rig.settle()
    t.match(transport.seen, { code: 1011, reason: 'target process exited' })
    t.equal(house.processes.stats().deadLetters, deadLetters + held + 2)
    t.equal(house.parkedCount, 0)
  }
})
