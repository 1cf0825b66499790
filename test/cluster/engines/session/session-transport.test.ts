import { EventEmitter, once } from 'node:events'
import t, { type Test } from 'tap'
import { errorCodes } from '../../../../lib/errors.js'
import { engineTiming } from '../../../../lib/cluster/timing.js'
import { ManualClock } from '../../../properties/clock.js'
import { nodeClock, type Clock } from '../../../../lib/shared/clock.js'
import type { Session } from '../../../../lib/cluster/engines/session/session.js'
import { SessionTransport } from '../../../../lib/cluster/engines/session/session-transport.js'

const unavailable = { code: 'FST_CLUSTER_UNAVAILABLE' }
const denied = (): Error => new errorCodes.FST_CLUSTER_ACCESS_DENIED('test', 'no')

/** A session whose answers and loss the test controls. */
class TestSession implements Session {
  maxFrame = 100
  closed = 0
  readonly subscribed: string[] = []
  lose: () => void = () => {}
  readonly lost = new Promise<void>((resolve) => { this.lose = resolve })
  publish = (): boolean => true
  flush = async (): Promise<void> => {}
  subscribe = async (topic: string): Promise<void> => { this.subscribed.push(topic) }
  unsubscribe = async (): Promise<void> => {}
  probe = async (): Promise<boolean> => true
  get = async (): Promise<undefined> => undefined
  cas = async (): Promise<number> => 1
  async close (): Promise<void> {
    this.closed++
    this.lose()
  }
}

interface Engine {
  transport: SessionTransport
  open: (clock?: Clock) => Promise<void>
  states: boolean[]
  up: () => Promise<unknown>
}

/** A transport whose dials have these outcomes in order. */
function engine (t: Test, ...outcomes: Array<Session | Error>): Engine {
  const states: boolean[] = []
  const news = new EventEmitter()
  const transport = new SessionTransport('test', async () => {
    const outcome = outcomes.shift() ?? new Error('nothing more is there')
    if (outcome instanceof Error) throw outcome
    return outcome
  }, 'nowhere')
  t.teardown(() => transport.close())
  return {
    transport,
    states,
    open: (clock = nodeClock) => transport.open({
      clock, state: (up) => { states.push(up); news.emit(String(up)) }
    }),
    up: () => once(news, 'true')
  }
}

t.test('retries a failed dial, and replaces a lost session', async (t) => {
  const sessions = [new TestSession(), new TestSession()]
  const { transport, open, up, states } = engine(t, new Error('refused'), ...sessions)
  await open()
  await transport.subscribe('x', () => {})
  const again = up()
  sessions[0].lose()
  await again
  t.strictSame(states, [true, false, true])
  t.strictSame(
    sessions.map(({ closed, subscribed }) => [closed, subscribed]),
    [
      [1, ['x']],
      [0, ['x']]
    ]
  )
})

t.test('fails to open on a permanent error, but retries it after the first session', async (t) => {
  await t.rejects(engine(t, denied()).open(), { code: 'FST_CLUSTER_ACCESS_DENIED' })
  const first = new TestSession()
  const { open, up } = engine(t, first, denied(), new TestSession())
  await open()
  const again = up()
  first.lose()
  await again
})

t.test('wraps errors of a session in coded ones, and keeps coded errors', async (t) => {
  const session = new TestSession()
  const { transport, open } = engine(t, session)
  await open()
  session.get = async () => { throw new Error('the client is confused') }
  await t.rejects(transport.get('k'), {
    ...unavailable,
    cause: { message: 'the client is confused' }
  })
  session.get = async () => { throw denied() }
  await t.rejects(transport.get('k'), { code: 'FST_CLUSTER_ACCESS_DENIED' })
  session.get = async () => await new Promise(() => {})
  const cut = t.rejects(transport.get('k'), unavailable)
  session.lose()
  await cut
})

t.test('rejects a request that has no answer in time', async (t) => {
  const session = new TestSession()
  const { transport, open } = engine(t, session)
  const clock = new ManualClock()
  await open(clock)
  session.get = async () => await new Promise(() => {})
  const refused = t.rejects(transport.get('k'), {
    ...unavailable,
    message: new RegExp(`no answer within ${engineTiming.answerTimeout} ms`)
  })
  clock.advance(engineTiming.answerTimeout)
  clock.yieldOnce()
  await refused
})

t.test('refuses a frame that is too large, or that the session refuses', async (t) => {
  const session = new TestSession()
  const { transport, open } = engine(t, session)
  t.equal(transport.publish('x', new Uint8Array(1)), false)
  await open()
  t.equal(transport.caps.maxFrame, 100)
  t.equal(transport.publish('x', new Uint8Array(100)), true)
  t.equal(transport.publish('x', new Uint8Array(101)), false)
  session.publish = () => false
  t.equal(transport.publish('x', new Uint8Array(1)), false)
})

t.test('rejects a new subscription that is refused, and keeps the session', async (t) => {
  const session = new TestSession()
  const { transport, open } = engine(t, session)
  await open()
  session.subscribe = async () => { throw denied() }
  await t.rejects(transport.subscribe('x', () => {}), { code: 'FST_CLUSTER_ACCESS_DENIED' })
  t.equal(session.closed, 0)
})

t.test('opens another session when a topic cannot be confirmed', async (t) => {
  const sessions = [new TestSession(), new TestSession(), new TestSession(), new TestSession()]
  const { transport, open, up, states } = engine(t, ...sessions)
  await open()
  sessions[0].subscribe = async () => { throw new Error('no answer') }
  const second = up()
  await transport.subscribe('x', () => {})
  await second
  sessions[2].subscribe = async () => { throw denied() }
  const fourth = up()
  sessions[1].lose()
  await fourth
  t.strictSame(sessions.map(({ subscribed }) => subscribed), [[], ['x'], [], ['x']])
  t.strictSame(states, [true, false, true, false, true])
})

t.test('ignores a confirmation of a session that was lost meanwhile', async (t) => {
  const inTheMoment = async (turns: number): Promise<string[]> => {
    const sessions = [new TestSession(), new TestSession()]
    const { transport, open, up } = engine(t, ...sessions)
    await open()
    let confirm: () => void = () => {}
    sessions[0].subscribe = async () => {
      await new Promise<void>((resolve) => {
        confirm = resolve
      })
    }
    const again = up()
    const subscribed = transport.subscribe('x', () => {})
    confirm()
    for (let turn = 0; turn < turns; turn++) await null
    sessions[0].lose()
    await Promise.all([subscribed, again])
    return sessions[1].subscribed
  }
  // More microtask rounds than the answer needs to take effect.
  const moments = Array.from({ length: 20 }, (_, turns) => turns)
  t.strictSame(await Promise.all(moments.map(inTheMoment)), moments.map(() => ['x']))
})

t.test('asks nothing when an unknown topic is unsubscribed', async (t) => {
  const session = new TestSession()
  const { transport, open } = engine(t, session)
  let asked = 0
  session.unsubscribe = async () => { asked++ }
  await open()
  await transport.subscribe('x', () => {})
  for (const topic of ['x', 'x', 'y']) await transport.unsubscribe(topic)
  t.equal(asked, 1)
})

t.test('aborts a dial that takes too long, and a dial during close', async (t) => {
  const signals: AbortSignal[] = []
  const news = new EventEmitter()
  const transport = new SessionTransport('test', async (_, signal) => {
    signals.push(signal)
    news.emit('dial')
    await once(signal, 'abort')
    throw new Error('given up')
  }, 'nowhere')
  const clock = new ManualClock()
  const opening = t.rejects(transport.open({ clock, state: () => {} }), {
    ...unavailable,
    cause: { message: 'given up' }
  })
  clock.advance(engineTiming.dialTimeout + engineTiming.answerTimeout - 1)
  t.equal(signals[0].aborted, false)
  clock.advance(1)
  t.equal(signals[0].aborted, true)
  await new Promise((resolve) => { setImmediate(resolve) })
  const again = once(news, 'dial')
  clock.advance(200)
  await again
  await transport.close()
  t.equal(signals[1].aborted, true)
  await opening
  t.equal(clock.runningTimers, 0)
})

t.test('ends the pause before the next dial when it is closed', async (t) => {
  const clock = new ManualClock()
  const { transport, open } = engine(t, new Error('refused'))
  const opening = t.rejects(open(clock), { ...unavailable, cause: { message: 'refused' } })
  await new Promise((resolve) => { setImmediate(resolve) })
  t.equal(clock.runningTimers, 1)
  await transport.close()
  t.equal(clock.runningTimers, 0)
  await opening
})
