// A drain of connections in all their states, on the virtual clock.
import { PassThrough } from 'node:stream'
import t from 'tap'
import { parseConfig } from '../../lib/connection/config.js'
import { closeCodes } from '../../lib/connection/close-codes.js'
import { Connection } from '../../lib/connection/connection.js'
import { serialOf } from '../../lib/cluster/context.js'
import { Session } from '../../lib/session/session.js'
import { House } from '../connection/park/house.js'
import { Rig, WebSocketClient } from '../connection/transports/clients.js'
import { FakeTransport, policy } from '../session/fake-transport.js'
import type { Target } from '../../lib/process/entity.js'
import type { PendingHandshake } from '../../lib/registration/upgrade-server.js'

/** A client that counts messages, and its first socket. It has sent one message. */
class Guest {
  readonly socket = new FakeTransport()
  readonly session: Session
  readonly connection: Connection

  constructor ({ relay, runtime, settings }: Rig, target: string, header: object = {}) {
    const parsed = parseConfig({ target_pid: target, ...header }, settings)
    if (!parsed.ok) throw new Error(parsed.problem)
    const terms = { policy, owner: undefined, protocol: '' }
    this.session = new Session(relay.sessions, this.socket, terms)
    this.connection = new Connection({
      relay,
      transport: this.session,
      settings,
      target: runtime.processTable.findEntity(target) as Target,
      config: parsed.value
    })
    const scope = { origin: '', path: '/ws' }
    this.session.start(serialOf(this.connection.pid), scope, undefined)
    this.connection.open()
    this.socket.text('\u0000a0')
    this.socket.takeLog()
  }
}

/** Calls `drain`, and tells whether it has resolved. */
function drain ({ processes }: Rig, options: object): { isDone: boolean } {
  const drained = { isDone: false }
  processes.drain(options).then(() => { drained.isDone = true }, t.threw)
  return drained
}

t.test('advises a client that counts, and closes it when it ignores that', async (t) => {
  const rig = new Rig()
  const target = rig.target()
  const { socket, session, connection } = new Guest(rig, target.pid)
  const bare = new WebSocketClient(rig)
  rig.connect(target, bare.transport)
  await rig.settle()
  const drained = drain(rig, { delay: 20, over: 100 })
  await rig.advance(19)
  t.notOk(rig.relay.draining)
  await rig.advance(101)
  t.ok(rig.relay.draining)
  t.notOk(drained.isDone)
  t.match(socket.takeLog(), [/^\0a0$/, /^\0r\{"after":0,"by":\d+\}$/])
  t.ok(session.isAlive)
  t.notOk(session.acceptsOffers)
  await rig.advance(50)
  t.match(socket.takeLog(), ['(closed: shutdown)'])
  t.strictSame(bare.seen, { code: 1001, reason: 'server shutting down' })
  t.ok(drained.isDone)
  t.notOk(rig.processes.alive(connection.pid))
  t.strictSame(rig.processes.stats().connections, { ...rig.processes.stats().connections, open: 0 })
})

t.test('resolves when the last client follows the advice', async (t) => {
  const rig = new Rig({ closeTimeout: '1h' })
  const { socket } = new Guest(rig, rig.target().pid)
  const drained = drain(rig, { over: 100 })
  await rig.advance(100)
  t.notOk(drained.isDone)
  socket.events.onTransportEnd({ ...closeCodes.lost, cause: 'closed' as never })
  await rig.settle()
  t.ok(drained.isDone)
  t.equal(rig.clock.runningTimers, 0)
})

t.test('ends a session whose client is away last, with the cause shutdown', async (t) => {
  const rig = new Rig()
  const target = rig.target()
  const away = new Guest(rig, target.pid)
  const others = Array.from({ length: 8 }, () => new Guest(rig, target.pid))
  away.socket.lose(closeCodes.lost)
  drain(rig, { over: 900 })
  await rig.advance(801)
  t.ok(others.every(({ session }) => !session.acceptsOffers))
  t.ok(away.session.acceptsOffers, 'until its own turn')
  t.equal(rig.relay.sessions.suspendedCount, 1)
  await rig.advance(100)
  t.notOk(away.session.isAlive)
  t.equal(rig.relay.sessions.suspendedCount, 0)
})

t.test('does not refuse upgrades a second time when the server closes already', async (t) => {
  const rig = new Rig({ drain: 100 })
  let refusals = 0
  const upgrade: PendingHandshake = {
    socket: new PassThrough(), checkSocket () {}, serverCloses () { refusals++ }
  }
  rig.relay.handshakes.add(upgrade)
  rig.relay.pending.add(upgrade)
  const closed = rig.relay.close()
  t.equal(refusals, 1)
  await rig.advance(1000)
  t.equal(refusals, 1, 'its deadline is not put off')
  await closed
})

t.test('gives parked connections their turns, and no target gets ws.leave', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { rig } = house
  const header = { on_target_exit: 'park', park: '5m' }
  const bare = Array.from({ length: 3 }, () => house.guest('room', header))
  const counting = new Guest(rig, 'room', header)
  await rig.settle()
  await house.crash(first)
  t.equal(house.parkedCount, 4)
  const drained = drain(rig, { over: 400 })
  await rig.advance(201)
  const open = [...rig.relay.connections].filter(({ isOpen }) => isOpen)
  t.ok(open.length === 2 || (open.length === 3 && !counting.session.acceptsOffers))
  await rig.advance(500)
  t.ok(drained.isDone)
  for (const { transport } of bare) {
    t.strictSame(transport.seen, { code: 1001, reason: 'server shutting down' })
  }
  t.match(counting.socket.log.slice(-2), [/^\0r/, '(closed: shutdown)'])
  t.equal(house.parkedCount, 0)
  t.equal(rig.runtime.nameTable.size, 0, 'nothing waits for the name')
  const second = await house.room('room')
  t.strictSame(second.mail, [])
})

t.test('lets a parked connection rejoin during a drain', async (t) => {
  const house = new House()
  const first = await house.room('room')
  const { transport } = house.guest('room', { park: '5m' })
  await house.rig.settle()
  await house.crash(first)
  const drained = drain(house.rig, { over: 1000 })
  await house.rig.advance(500)
  transport.send('late')
  const second = await house.room('room')
  await house.rig.advance(501)
  t.strictSame(second.mail, ['ws.join+rejoined', 'ws.message late', 'ws.leave'])
  t.match(transport.seen, { code: 1001 })
  t.ok(drained.isDone)
})
