// Connections that expire, on a clock that only the test moves.
import t from 'tap'
import { House } from '../park/house.js'
import { Rig, WebSocketClient, transports } from '../transports/clients.js'
import { ModelSession } from './model-session.js'
import type { Connection } from '../../../lib/connection/connection.js'
import type { Story } from '../../properties/connections/connection-bench.js'

function topicsOf ({ mail }: Story): string[] {
  return mail.map(({ topic, payload }) => topic === 'ws.message' ? String(payload.data) : topic)
}

const expired = { code: 1008, reason: 'session expired' }

for (const [name, clientOf] of transports) {
  const build = async (header: object, rig = new Rig()) => {
    const target = rig.target()
    const client = clientOf(rig)
    const connection = rig.connect(target, client.transport, header)
    await rig.settle()
    const control = (change: object): boolean => {
      return rig.processes.send(connection.pid, 'ws.control', change)
    }
    return { rig, target, client, connection, control }
  }

  t.test(`over ${name}`, async (t) => {
    t.test('closes with 1008 when expires_at has passed, and not before', async (t) => {
      const rig = new Rig()
      const at = rig.clock.systemTime() + 5000
      const { target, client, connection } = await build({ expires_at: at }, rig)
      const exit = rig.processes.exited(connection.pid)
      client.send('a')
      await rig.advance(4999)
      t.equal(client.seen, undefined)
      await rig.advance(51)
      t.strictSame(client.seen, expired)
      t.strictSame(topicsOf(target), ['ws.join', 'a', 'ws.leave', '@exit'])
      t.match(target.mail[2].payload, { code: 1008, reason: 'session expired', cause: 'expired' })
      t.match(await exit, { reason: 'expired', value: { ...expired, cause: 'expired' } })
      t.match(rig.relay.counters.closedBy, [{ cause: 'expired', code: 1008, times: 1 }])
      await rig.advance(100)
      t.equal(rig.relay.deadlines.size, 0)
      t.equal(rig.clock.runningTimers, 0)
    })

    t.test('closes after expires_in, which begins with the upgrade', async (t) => {
      const { rig, client } = await build({ expires_in: '10s' })
      await rig.advance(9999)
      t.equal(client.seen, undefined)
      await rig.advance(251)
      t.strictSame(client.seen, expired)
    })

    t.test('closes at once when expires_at has passed already', async (t) => {
      const { rig, client, target } = await build({ expires_at: 1e11, expiry_notice: '30s' })
      await rig.advance(20)
      t.strictSame(client.seen, expired)
      t.strictSame(topicsOf(target), ['ws.join', 'ws.leave', '@exit'])
    })

    t.test('tells the target before it expires, once', async (t) => {
      const { rig, target, connection } = await build({ expires_in: '1m', expiry_notice: '10s' })
      const expires_at = rig.clock.systemTime() + 60_000
      await rig.advance(49_999)
      t.strictSame(topicsOf(target), ['ws.join'])
      await rig.advance(251)
      t.strictSame(target.mail[1], {
        topic: 'ws.expiring',
        payload: { client_pid: connection.pid, expires_at, metadata: { of: 'ada' } },
        from: connection.pid
      })
      await rig.advance(10_000)
      t.strictSame(topicsOf(target), ['ws.join', 'ws.expiring', 'ws.leave', '@exit'])
    })

    t.test('tells it after half of the time when less than twice the notice is left', async (t) => {
      const { rig, target } = await build({ expires_in: '10s', expiry_notice: '30s' })
      await rig.advance(4999)
      t.strictSame(topicsOf(target), ['ws.join'])
      await rig.advance(51)
      t.strictSame(topicsOf(target), ['ws.join', 'ws.expiring'])
    })

    t.test('is renewed by ws.control, as often as the target likes', async (t) => {
      const { rig, target, client, control } = await build({
        expires_in: '10s', expiry_notice: '2s'
      })
      for (let i = 1; i <= 5; i++) {
        await rig.advance(8050)
        t.equal(target.mail.length, 1 + i, 'a notice for each term')
        t.ok(control({ expires_in: '10s' }))
      }
      t.equal(client.seen, undefined)
      t.ok(control({ expires_at: rig.clock.systemTime() + 500 }))
      await rig.advance(510)
      t.strictSame(client.seen, expired)
    })

    t.test('never expires after expires_at: null', async (t) => {
      const { rig, target, client, control } = await build({
        expires_in: '1s', expiry_notice: '500ms'
      })
      t.ok(control({ expires_at: null }))
      await rig.advance(1e6)
      t.equal(client.seen, undefined)
      t.strictSame(topicsOf(target), ['ws.join'])
      t.ok(control({ expires_in: '1s' }), 'the notice is kept')
      await rig.advance(600)
      t.strictSame(topicsOf(target), ['ws.join', 'ws.expiring'])
      t.ok(control({ expires_in: null }))
      await rig.advance(1e6)
      t.equal(client.seen, undefined)
    })

    t.test('gets an end, and a notice, by ws.control alone', async (t) => {
      const { rig, target, client, control } = await build({})
      t.ok(control({ expiry_notice: '1s' }))
      await rig.advance(10_000)
      t.strictSame(topicsOf(target), ['ws.join'])
      t.ok(control({ expires_in: '3s' }))
      await rig.advance(2050)
      t.strictSame(topicsOf(target), ['ws.join', 'ws.expiring'])
      t.ok(control({ expires_in: '3s', expiry_notice: null }))
      await rig.advance(3050)
      t.strictSame(client.seen, expired)
      t.strictSame(topicsOf(target), ['ws.join', 'ws.expiring', 'ws.leave', '@exit'])
    })

    t.test('keeps its end when a ws.control is not valid, or is about something else', async (t) => {
      const { rig, client, control } = await build({ expires_in: '1s' })
      for (const expires_at of [1, 1_800_000_000, 'tomorrow', NaN]) t.notOk(control({ expires_at }))
      t.notOk(control({ expires_at: 2e12, expires_in: '1h' }))
      t.notOk(control({ expires_in: '1ms' }))
      t.ok(control({ metadata: {}, limit: { messages: '1/s' } }))
      await rig.advance(1050)
      t.strictSame(client.seen, expired)
    })

    t.test('expires while it waits for its target, and hands on what was read', async (t) => {
      const { rig, target, client, connection } = await build({ expires_in: '1s' })
      target.hold()
      for (let i = 0; i < 12; i++) client.send(String(i))
      await rig.settle()
      t.match(connection.describe(), { paused: true })
      await rig.advance(1050)
      t.strictSame(client.seen, expired)
      target.release()
      await rig.settle()
      const messages = Array.from({ length: 12 }, (_, i) => String(i))
      t.strictSame(topicsOf(target), ['ws.join', ...messages, 'ws.leave', '@exit'])
    })

    t.test('expires while the client is over its limit', async (t) => {
      const { rig, target, client } = await build({ expires_in: '1s', limit: { messages: '1/m' } })
      for (const data of ['a', 'b', 'c']) client.send(data)
      await rig.advance(1050)
      t.strictSame(client.seen, expired)
      t.strictSame(topicsOf(target), ['ws.join', 'a', 'b', 'c', 'ws.leave', '@exit'])
      await rig.advance(100)
      t.equal(rig.relay.deadlines.size, 0)
    })

    t.test('takes its end along to another target, and its notice', async (t) => {
      const { rig, target, client, control } = await build({
        expires_in: '10s', expiry_notice: '4s'
      })
      const [early, late] = [rig.target(), rig.target()]
      await rig.advance(2000)
      t.ok(control({ target_pid: early.pid }))
      await rig.advance(4050)
      t.strictSame(topicsOf(target), ['ws.join', 'ws.leave'])
      t.strictSame(topicsOf(early), ['ws.join', 'ws.expiring'])
      t.ok(control({ target_pid: late.pid, metadata: { of: 'late' } }))
      await rig.settle()
      t.strictSame(topicsOf(late), ['ws.join', 'ws.expiring'], 'the new target is told too')
      t.match(late.mail[1].payload, { metadata: { of: 'late' } })
      await rig.advance(4050)
      t.strictSame(client.seen, expired)
      t.strictSame(topicsOf(late), ['ws.join', 'ws.expiring', 'ws.leave', '@exit'])
    })
  })
}

t.test('does not tell a new target when the transfer renews it', async (t) => {
  const rig = new Rig()
  const [target, next] = [rig.target(), rig.target()]
  const { pid } = rig.connect(target, new WebSocketClient(rig).transport, {
    expires_in: '1s', expiry_notice: '400ms'
  })
  await rig.advance(700)
  t.strictSame(topicsOf(target), ['ws.join', 'ws.expiring'])
  rig.processes.send(pid, 'ws.control', { target_pid: next.pid, expires_in: '1h' })
  await rig.settle()
  t.strictSame(topicsOf(next), ['ws.join'])
})

t.test('follows the time of day when somebody sets the clock', async (t) => {
  const expiresIn = async (ms: number): Promise<[Rig, Connection]> => {
    const rig = new Rig({ pingInterval: 0 })
    const expires_at = rig.clock.systemTime() + ms
    const target = rig.target()
    const connection = rig.connect(target, new WebSocketClient(rig).transport, { expires_at })
    await rig.settle()
    return [rig, connection]
  }
  const [ahead, early] = await expiresIn(3_600_000)
  ahead.clock.date += 3_600_000
  await ahead.advance(60_250)
  t.equal(early.isOpen, false, 'set forward: it is noticed within a minute')
  const [behind, late] = await expiresIn(10_000)
  behind.clock.date -= 5000
  await behind.advance(14_999)
  t.equal(late.isOpen, true, 'set back')
  await behind.advance(251)
  t.equal(late.isOpen, false)
})

t.test('expires after more days than a timer of Node can wait', async (t) => {
  const rig = new Rig({ pingInterval: 0 })
  const target = rig.target()
  const connection = rig.connect(target, new WebSocketClient(rig).transport, {
    expires_in: '720h'
  })
  rig.clock.advance(720 * 3_600_000 - 1)
  await rig.settle()
  t.equal(connection.isOpen, true)
  await rig.advance(251)
  t.equal(connection.isOpen, false)
})

// Parked

t.test('expires while it is parked', async (t) => {
  const house = new House()
  const room = await house.room('room')
  const { transport } = house.guest('room', { park: '5m', expires_in: '1s', expiry_notice: '300ms' })
  await house.rig.settle()
  await house.crash(room)
  await house.rig.advance(1050)
  t.strictSame(transport.seen, expired)
  t.equal(house.parkedCount, 0)
  t.equal(house.rig.runtime.nameTable.size, 0)
  await house.rig.advance(100)
  t.equal(house.rig.relay.deadlines.size, 0)
})

t.test('tells a successor that joins after the notice', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport } = house.guest('room', { park: '5m', expires_in: '9s', expiry_notice: '4s' })
  await house.rig.settle()
  await house.crash(first)
  await house.rig.advance(6000)
  const second = await house.room('room')
  t.strictSame(second.mail, ['ws.join+rejoined', 'ws.expiring'])
  await house.rig.advance(3050)
  t.strictSame(transport.seen, expired)
  t.strictSame(second.mail, ['ws.join+rejoined', 'ws.expiring', 'ws.leave'])
})

// Away

t.test('expires while its client is away, and a resume does not extend it', async (t) => {
  const session = new ModelSession({ expires_in: '10s', expiry_notice: '3s' })
  await session.settle()
  for (let i = 0; i < 3; i++) {
    await session.blip(1000)
    t.equal(session.isOpen, true)
    await session.advance(1000)
  }
  await session.lose()
  await session.advance(3999)
  t.equal(session.isOpen, true)
  t.ok(topicsOf(session.target).includes('ws.expiring'))
  await session.advance(51)
  t.equal(session.isOpen, false)
  const leave = session.target.mail.find(({ topic }) => topic === 'ws.leave')!
  t.match(leave.payload, { cause: 'expired', code: 1008 })
  t.equal(session.rig.relay.sessions.tombstoneCount, 1, 'the client is told when it is back')
})

t.test('is renewed while its client is away', async (t) => {
  const session = new ModelSession({ expires_in: '5s', expiry_notice: '1s' })
  await session.settle()
  await session.lose()
  await session.advance(4050)
  t.equal(topicsOf(session.target).at(-1), 'ws.expiring')
  t.ok(session.rig.processes.send(session.pid, 'ws.control', { expires_in: '1m' }))
  await session.advance(10_000)
  t.equal(session.isOpen, true)
  await session.comeBack()
  session.send('back')
  await session.settle()
  t.equal(topicsOf(session.target).at(-1), 'back')
})
