import t from 'tap'
import { Heartbeat, Liveness } from '../../lib/relay/liveness.js'
import type { Deadline, Wheel } from '../../lib/relay/wheel.js'

/** A wheel that turns by hand. */
class Hand {
  deadline: Deadline | undefined
  delay: number | undefined

  schedule (deadline: Deadline, delay: number): void {
    this.deadline = deadline
    this.delay = delay
  }

  cancel (): void {
    this.deadline = this.delay = undefined
  }

  turn (late = 0): void {
    const { deadline } = this
    this.cancel()
    deadline!.due(late)
  }
}

function build (options: object = {}) {
  const hand = new Hand()
  const did: string[] = []
  const connection = {
    isBeingRead: true,
    bytesHeld: 0,
    ping () { did.push('ping') },
    silent () { did.push('silent') },
    cut () { did.push('cut') },
    beat () { did.push('beat') }
  }
  const liveness = new Liveness(connection, hand as unknown as Wheel, { pingInterval: 30, pongTimeout: 20, closeTimeout: 5, ...options })
  return { hand, did, connection, liveness }
}

function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

t.test('a ping every interval, and a pong ends the waiting', async t => {
  const { hand, did, liveness } = build()
  for (let i = 1; i <= 3; i++) {
    t.equal(hand.delay, 30)
    hand.turn()
    t.equal(did.length, i)
    t.equal(hand.delay, 20)
    liveness.pong()
  }
  liveness.pong()
  t.equal(hand.delay, 30)
  liveness.resumed()
  t.equal(hand.delay, 30, 'nothing is awaited')
})

t.test('no pong in time: silent, after the sockets were looked at once more', async t => {
  const { hand, did, liveness } = build()
  hand.turn()
  hand.turn()
  t.strictSame(did, ['ping'])
  await turn()
  t.strictSame(did, ['ping', 'silent'])
  liveness.stop()
})

t.test('a pong behind what the sockets brought in the last moment is waited for', async t => {
  for (const isIn of [{ isBeingRead: false }, { bytesHeld: 7 }]) {
    const { hand, did, connection, liveness } = build()
    hand.turn()
    hand.turn()
    // The last look at the sockets has brought more than the target takes, or half of a long frame.
    Object.assign(connection, isIn)
    await turn()
    t.notOk(did.includes('silent'))
    t.equal(hand.delay, 20)
    liveness.pong()
    t.equal(hand.delay, 30)
  }
})

t.test('a pong that lay in the kernel counts', async t => {
  const { hand, did, liveness } = build()
  hand.turn()
  hand.turn()
  liveness.pong()
  await turn()
  t.strictSame(did, ['ping'])
  t.equal(hand.delay, 30)
})

t.test('the time begins again', async t => {
  await t.test('while it is not being read, with another ping', async t => {
    const { hand, did, connection, liveness } = build()
    hand.turn()
    connection.isBeingRead = false
    hand.turn()
    hand.turn()
    await turn()
    t.strictSame(did, ['ping', 'ping', 'ping'])
    connection.isBeingRead = true
    hand.cancel()
    liveness.resumed()
    t.equal(hand.delay, 20)
    hand.turn()
    liveness.resumed()
    await turn()
    t.strictSame(did, ['ping', 'ping', 'ping'], 'also between the last look and the verdict')
  })
  await t.test('while a frame comes in, or the next one does', async t => {
    const { hand, did, connection } = build()
    hand.turn()
    for (const bytes of [10, 20, 5]) {
      connection.bytesHeld = bytes
      hand.turn()
    }
    await turn()
    t.strictSame(did, ['ping'])
    hand.turn()
    await turn()
    t.strictSame(did, ['ping', 'silent'], 'but not where it stays as it is')
  })
  await t.test('once after a stall', async t => {
    const { hand, did, liveness } = build()
    hand.turn()
    hand.turn(60)
    await turn()
    t.strictSame(did, ['ping'])
    liveness.pong()
    hand.turn()
    hand.turn(60)
    hand.turn(60)
    await turn()
    t.strictSame(did, ['ping', 'ping', 'silent'])
  })
})

t.test('either at 0 turns pings off', async t => {
  t.equal(build({ pingInterval: 0 }).hand.delay, undefined)
  t.equal(build({ pongTimeout: 0 }).hand.delay, undefined)
})

t.test('a closing handshake that takes too long is cut', async t => {
  const { hand, did, liveness } = build()
  hand.turn()
  liveness.closing()
  t.equal(hand.delay, 5)
  liveness.pong()
  liveness.resumed()
  t.equal(hand.delay, 5)
  hand.turn()
  t.strictSame(did, ['ping', 'cut'])
})

t.test('what is stopped while it checks says nothing more', async t => {
  const { hand, did, liveness } = build()
  hand.turn()
  hand.turn()
  liveness.stop()
  await turn()
  t.strictSame(did, ['ping'])
  t.equal(hand.delay, undefined)
})

t.test('a heartbeat beats until it is stopped', async t => {
  const { hand, did, connection } = build()
  const heartbeat = new Heartbeat(connection, hand as unknown as Wheel, 100)
  hand.turn()
  hand.turn()
  t.strictSame(did, ['beat', 'beat'])
  t.equal(hand.delay, 100)
  heartbeat.stop()
  t.equal(hand.delay, undefined)
})
