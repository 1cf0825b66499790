import t from 'tap'
import { nodeClock } from '../../lib/shared/clock.js'
import { Liveness } from '../../lib/websocket/liveness.js'
import type { Deadline, DeadlineTimer } from '../../lib/shared/deadline-timer.js'

/** A wheel that turns by hand. */
class Hand {
  readonly clock = nodeClock
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
    partialFrameBytes: 0,
    bytesSent: 0,
    /** The kernel takes a ping at once. */
    takes: true,
    sendPing () {
      did.push('ping')
      return this.takes
    },
    pongTimedOut () { did.push('pong timed out') },
    closeTimedOut () { did.push('close timed out') }
  }
  const liveness = new Liveness(connection, hand as unknown as DeadlineTimer, {
    pingInterval: 30,
    pongTimeout: 20,
    closeTimeout: 5,
    ...options
  })
  return { hand, did, connection, liveness }
}

function turn (): Promise<void> {
  return new Promise((resolve) => { setImmediate(resolve) })
}

t.test('pings at each interval, and stops waiting when a pong arrives', async t => {
  const { hand, did, liveness } = build()
  for (let i = 1; i <= 3; i++) {
    t.equal(hand.delay, 30)
    hand.turn()
    t.equal(did.length, i)
    t.equal(hand.delay, 20)
    liveness.pongReceived()
  }
  liveness.pongReceived()
  t.equal(hand.delay, 30)
  liveness.readingResumed()
  t.equal(hand.delay, 30, 'nothing is awaited')
})

t.test('reports a timeout when no pong arrived, after sockets were read once more', async t => {
  const { hand, did, liveness } = build()
  hand.turn()
  hand.turn()
  t.strictSame(did, ['ping'])
  await turn()
  t.strictSame(did, ['ping', 'pong timed out'])
  liveness.stop()
})

t.test('waits for a pong that follows bytes read in the last moment', async t => {
  for (const isIn of [{ isBeingRead: false }, { partialFrameBytes: 7 }]) {
    const { hand, did, connection, liveness } = build()
    hand.turn()
    hand.turn()
    // The last look at the sockets has brought more than the target takes, or half of a long frame.
    Object.assign(connection, isIn)
    await turn()
    t.notOk(did.includes('pong timed out'))
    t.equal(hand.delay, 20)
    liveness.pongReceived()
    t.equal(hand.delay, 30)
  }
})

t.test('counts a pong that was still in the kernel', async t => {
  const { hand, did, liveness } = build()
  hand.turn()
  hand.turn()
  liveness.pongReceived()
  await turn()
  t.strictSame(did, ['ping'])
  t.equal(hand.delay, 30)
})

t.test('starts the pong timeout again', async t => {
  await t.test('while the socket is not being read, with another ping', async t => {
    const { hand, did, connection, liveness } = build()
    hand.turn()
    connection.isBeingRead = false
    hand.turn()
    hand.turn()
    await turn()
    t.strictSame(did, ['ping', 'ping', 'ping'])
    connection.isBeingRead = true
    hand.cancel()
    liveness.readingResumed()
    t.equal(hand.delay, 20)
    hand.turn()
    liveness.readingResumed()
    await turn()
    t.strictSame(did, ['ping', 'ping', 'ping'], 'also between the last look and the verdict')
  })
  await t.test('while a frame is being received, or the next one is', async t => {
    const { hand, did, connection } = build()
    hand.turn()
    for (const bytes of [10, 20, 5]) {
      connection.partialFrameBytes = bytes
      hand.turn()
    }
    await turn()
    t.strictSame(did, ['ping'])
    hand.turn()
    await turn()
    t.strictSame(did, ['ping', 'pong timed out'], 'but not where it stays as it is')
  })
  await t.test('once after a stall of the event loop', async t => {
    const { hand, did, liveness } = build()
    hand.turn()
    hand.turn(60)
    await turn()
    t.strictSame(did, ['ping'])
    liveness.pongReceived()
    hand.turn()
    hand.turn(60)
    hand.turn(60)
    await turn()
    t.strictSame(did, ['ping', 'ping', 'pong timed out'])
  })
})

t.test('sends no pings when the interval or the timeout is 0', async t => {
  t.equal(build({ pingInterval: 0 }).hand.delay, undefined)
  t.equal(build({ pongTimeout: 0 }).hand.delay, undefined)
})

t.test('ends a closing handshake that takes too long', async t => {
  const { hand, did, liveness } = build()
  hand.turn()
  liveness.startCloseTimeout()
  t.equal(hand.delay, 5)
  liveness.pongReceived()
  liveness.readingResumed()
  t.equal(hand.delay, 5)
  hand.turn()
  t.strictSame(did, ['ping', 'close timed out'])
})

t.test('reports nothing when it is stopped during the last check', async t => {
  const { hand, did, liveness } = build()
  hand.turn()
  hand.turn()
  liveness.stop()
  await turn()
  t.strictSame(did, ['ping'])
  t.equal(hand.delay, undefined)
})

const MiB = 1024 * 1024

t.test('starts the timeout again while the kernel takes bytes before the ping', async t => {
  const { hand, did, connection, liveness } = build()
  connection.takes = false
  hand.turn()
  for (let i = 1; i <= 50; i++) {
    t.equal(hand.delay, 20)
    connection.bytesSent += 1000
    hand.turn()
  }
  t.equal(hand.delay, 20)
  hand.turn()
  await turn()
  t.strictSame(did, ['ping', 'pong timed out'], 'not when none have left')
  liveness.stop()
})

t.test('starts the timeout of a ping when the kernel takes it', async t => {
  const { hand, did, connection, liveness } = build()
  connection.takes = false
  hand.turn()
  connection.bytesSent += 1000
  hand.delay = undefined
  liveness.pingTakenByKernel()
  t.equal(hand.delay, 20)
  // Bytes that are sent now follow the ping: a client that reads them has read and answered the
  // ping.
  connection.bytesSent += 1000
  hand.turn()
  await turn()
  t.strictSame(did, ['ping', 'pong timed out'])
  liveness.stop()
})

t.test('accepts a ping that is taken while it is sent, or when no pong is awaited', async t => {
  const { hand, did, connection, liveness } = build()
  connection.takes = false
  const { sendPing } = connection
  connection.sendPing = () => {
    liveness.pingTakenByKernel()
    return sendPing.call(connection)
  }
  hand.turn()
  connection.bytesSent += 1000
  hand.turn()
  await turn()
  t.strictSame(did, ['ping', 'pong timed out'], 'the ping has left, and this stands behind it')
  liveness.stop()
  liveness.pingTakenByKernel()
  t.equal(hand.delay, undefined)
})

t.test('extends the timeout once, by a sixteenth for each unconfirmed 64 KiB', async t => {
  for (const [sent, more] of [
    [65_535, undefined],
    [65_536, 1],
    [MiB, 16],
    [3.9 * MiB, 62],
    [8 * MiB, 128],
    [500 * MiB, 128]
  ] as const) {
    const { hand, did, connection, liveness } = build({ pongTimeout: 16 })
    connection.bytesSent = sent
    hand.turn()
    t.equal(hand.delay, 16)
    hand.turn()
    if (more !== undefined) {
      t.equal(hand.delay, more, `${sent} bytes`)
      hand.turn()
    }
    await turn()
    t.strictSame(did, ['ping', 'pong timed out'], `${sent} bytes`)
    liveness.stop()
  }
})

t.test('extends the timeout by no bytes that a pong has confirmed', async t => {
  const { hand, did, connection, liveness } = build({ pongTimeout: 16 })
  connection.bytesSent = 5 * MiB
  hand.turn()
  hand.turn()
  t.equal(hand.delay, 80)
  liveness.pongReceived()
  t.equal(hand.delay, 30)
  connection.bytesSent += 2 * MiB
  hand.turn()
  connection.bytesSent += 50 * MiB
  hand.turn()
  t.equal(hand.delay, 32, 'what was sent after the ping does not count')
  liveness.pongReceived()
  hand.turn()
  liveness.pongReceived()
  hand.turn()
  hand.turn()
  await turn()
  t.strictSame(did, ['ping', 'ping', 'ping', 'ping', 'pong timed out'])
  liveness.stop()
})

t.test('confirms nothing when a pong answers no ping of the server', async t => {
  const { hand, connection, liveness } = build({ pongTimeout: 16 })
  connection.bytesSent = 2 * MiB
  liveness.pongReceived()
  connection.takes = false
  hand.turn()
  liveness.pongReceived()
  connection.takes = true
  hand.turn()
  hand.turn()
  t.equal(hand.delay, 32)
  liveness.stop()
})

t.test('starts the timeout again when the kernel takes bytes during the extension', async t => {
  const { hand, did, connection, liveness } = build({ pongTimeout: 16 })
  connection.takes = false
  connection.bytesSent = 4 * MiB
  hand.turn()
  hand.turn()
  t.equal(hand.delay, 64)
  connection.bytesSent += MiB
  hand.turn()
  t.equal(hand.delay, 16)
  hand.turn()
  t.equal(hand.delay, 80, 'and so does the time for what is in flight')
  hand.turn()
  await turn()
  t.strictSame(did, ['ping', 'pong timed out'])
  liveness.stop()
})
