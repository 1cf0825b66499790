// The conformance suite of engines. The test file of each engine runs it.
import { EventEmitter, once } from 'node:events'
import { until } from '../../helpers.js'
import type { Test } from 'tap'
import type { ClusterEngine, ClusterTransport } from '../../../types/cluster.js'

/** An engine that only this test uses. */
export interface EngineUnderTest {
  /** Makes the transport of a node. */
  connect (): ClusterEngine
  kill (): Promise<void>
  /** @param empty whether the stored data is removed */
  restart (empty?: boolean): Promise<void>
  /** Freezes the engine, and keeps its connections open. */
  freeze?: () => void
  thaw?: () => void
}

/** An open transport with its reported states. It is closed with the test. */
interface Node {
  transport: ClusterTransport
  states: boolean[]
  /** Resolves when the given state is reported next. */
  becomes (up: boolean): Promise<void>
  /** Subscribes, and returns the received frames. */
  hear (topic: string): Promise<Heard>
}

/** The frames of a topic, as text. */
class Heard {
  readonly frames: string[] = []
  readonly #news = new EventEmitter()

  readonly listener = (frame: Uint8Array): void => {
    this.frames.push(text(frame))
    this.#news.emit('frame')
  }

  /** Resolves when `count` frames have arrived. */
  async reaches (count: number): Promise<void> {
    while (this.frames.length < count) await once(this.#news, 'frame')
  }
}

const text = (frame: Uint8Array): string => Buffer.from(frame).toString()
const unavailable = { code: 'FST_CLUSTER_UNAVAILABLE' }

async function node (t: Test, engine: ClusterEngine): Promise<Node> {
  const { transport } = engine
  t.teardown(() => transport.close())
  const states: boolean[] = []
  const news = new EventEmitter()
  await transport.open({ state: (up) => { states.push(up); news.emit(String(up)) } })
  return {
    transport,
    states,
    async becomes (up) { if (states.at(-1) !== up) await once(news, String(up)) },
    async hear (topic) {
      const heard = new Heard()
      await transport.subscribe(topic, heard.listener)
      return heard
    }
  }
}

/** Publishes frames to an engine that is up. */
function publish (t: Test, { transport }: Node, topic: string, ...frames: string[]): void {
  t.ok(frames.every((frame) => transport.publish(topic, Buffer.from(frame))), `${topic}: taken`)
}

export function conform (t: Test, start: (t: Test) => Promise<EngineUnderTest>): void {
  const two = async (t: Test): Promise<{ engine: EngineUnderTest, a: Node, b: Node }> => {
    const engine = await start(t)
    return { engine, a: await node(t, engine.connect()), b: await node(t, engine.connect()) }
  }

  t.test('delivers frames in the order of publishing, to all other subscribers', async (t) => {
    const { engine, a, b } = await two(t)
    const others = [await b.hear('fwr.x'), await (await node(t, engine.connect())).hear('fwr.x')]
    const frames = Array.from({ length: 2000 }, (_, n) => `${n} ${'.'.repeat(n % 500)}`)
    publish(t, a, 'fwr.x', ...frames)
    for (const other of others) {
      await other.reaches(2000)
      t.strictSame(other.frames, frames)
    }
  })

  t.test('delivers the bytes that were published', async (t) => {
    const { a, b } = await two(t)
    const bytes = Uint8Array.from({ length: 512 }, (_, n) => n % 256)
    const frame = new Promise<Uint8Array>((resolve) => {
      b.transport
        .subscribe('fwr.x', resolve)
        .then(() => a.transport.publish('fwr.x', bytes), t.error)
    })
    t.strictSame([...await frame], [...bytes])
  })

  t.test(
    'delivers nothing from before the subscription, after its end, or of another topic',
    async (t) => {
      const { a, b } = await two(t)
      publish(t, a, 'fwr.x', 'early')
      await a.transport.flush(10_000)
      const x = await b.hear('fwr.x')
      const y = await b.hear('fwr.y')
      publish(t, a, 'fwr.x', 'in time')
      publish(t, a, 'fwr.y', 'else')
      await y.reaches(1)
      t.strictSame(x.frames, ['in time'])
      await b.transport.unsubscribe('fwr.x')
      await b.transport.flush(10_000)
      publish(t, a, 'fwr.x', 'late')
      publish(t, a, 'fwr.y', 'last')
      await y.reaches(2)
      t.strictSame(x.frames, ['in time'])
    }
  )

  t.test(
    'replaces the first listener of a topic by the second, which gets each frame once',
    async (t) => {
      const { a, b } = await two(t)
      const first = await b.hear('fwr.x')
      publish(t, a, 'fwr.x', 'one')
      await first.reaches(1)
      const second = await b.hear('fwr.x')
      const last = await b.hear('fwr.y')
      publish(t, a, 'fwr.x', 'two')
      publish(t, a, 'fwr.y', 'end')
      await last.reaches(1)
      t.strictSame([first.frames, second.frames], [['one'], ['two']])
      await b.transport.unsubscribe('fwr.x')
      await b.transport.flush(10_000)
      t.equal(await a.transport.probe('fwr.x'), false)
    }
  )

  t.test('confirms a topic before it is up when the topic was added before opening', async (t) => {
    const engine = await start(t)
    const { transport } = engine.connect()
    t.teardown(() => transport.close())
    const { transport: other } = await node(t, engine.connect())
    let confirmed = false
    const heard = new Heard()
    const subscribed = transport.subscribe('fwr.x', heard.listener).then(() => { confirmed = true })
    const taken: boolean[] = []
    await transport.open({
      state: () => {
        taken.push(other.publish('fwr.x', Buffer.from('first')))
      }
    })
    await subscribed
    t.ok(confirmed)
    t.strictSame(taken, [true])
    await heard.reaches(1)
  })

  t.test('probes whether a topic has a subscriber', async (t) => {
    const { a, b } = await two(t)
    t.equal(await a.transport.probe('fwr.x'), false)
    const heard = await b.hear('fwr.x')
    t.equal(await a.transport.probe('fwr.x'), true)
    publish(t, a, 'fwr.x', 'real')
    await heard.reaches(1)
    t.strictSame(heard.frames, ['real'], 'and delivers nothing')
    await b.transport.unsubscribe('fwr.x')
    await b.transport.flush(10_000)
    t.equal(await a.transport.probe('fwr.x'), false)
  })

  t.test('sets a key only if it still has the given revision', async (t) => {
    const { a, b } = await two(t)
    const key = 'fwr.name.a:b/ü€.*>'
    const bytes = Uint8Array.from({ length: 256 }, (_, n) => n)
    const { transport } = a
    t.equal(await transport.get(key), undefined)
    t.equal(await transport.cas(key, bytes, 5), 0, 'it is not there')
    const first = await transport.cas(key, bytes, 0)
    t.ok(first > 0)
    const entry = await b.transport.get(key)
    t.equal(entry?.revision, first)
    t.strictSame([...entry?.value ?? []], [...bytes])
    t.equal(await b.transport.cas(key, bytes, 0), 0, 'it is there')
    const second = await b.transport.cas(key, Buffer.from('two'), first)
    t.ok(second > first)
    t.equal(await transport.cas(key, undefined, first), 0, 'it has another revision')
    const deleted = await transport.cas(key, undefined, second)
    t.ok(deleted > second)
    t.equal(await b.transport.get(key), undefined)
    const third = await b.transport.cas(key, Buffer.from('three'), 0)
    t.ok(third > second, 'a key that was made again has none of its old revisions')
    t.equal(await transport.cas(key, undefined, second), 0)
  })

  t.test(
    'takes revisions from one counter for all keys, which rises with every write',
    async (t) => {
      const { a, b } = await two(t)
      let last = 0
      for (const [i, { transport }] of [a, b, a, b].entries()) {
        for (const key of [`fwr.${i}`, 'fwr.other']) {
          const made = await transport.cas(key, Buffer.from('x'), 0)
          const deleted = await transport.cas(key, undefined, made)
          t.ok(made > last && deleted > made, `${last} < ${made} < ${deleted}`)
          last = deleted
        }
      }
    }
  )

  t.test('lets one writer win when several write at the same revision', async (t) => {
    const { a, b } = await two(t)
    let revision = 0
    for (let round = 0; round < 20; round++) {
      const results = await Promise.all(
        [a, b, a, b].map(({ transport }, n) =>
          transport.cas('fwr.k', Buffer.from(`${round} ${n}`), revision)
        )
      )
      const won = results.findIndex((result) => result > 0)
      t.strictSame(results.filter((result) => result > 0).length, 1, `round ${round}`)
      revision = results[won]
      const entry = await b.transport.get('fwr.k')
      t.strictSame(
        [text(entry?.value ?? Buffer.from('')), entry?.revision],
        [`${round} ${won}`, revision]
      )
    }
  })

  t.test(
    'queues nothing while the engine is down, and restores subscriptions before it is up',
    async (t) => {
      const { engine, a, b } = await two(t)
      const heard = await b.hear('fwr.x')
      const own = await a.hear('fwr.own')
      await Promise.all([engine.kill(), a.becomes(false), b.becomes(false)])

      t.equal(a.transport.publish('fwr.x', Buffer.from('while down')), false)
      const outcomes: Array<Promise<unknown>> = [
        a.transport.flush(1000),
        a.transport.probe('fwr.x'),
        a.transport.get('fwr.k'),
        a.transport.cas('fwr.k', Buffer.from('v'), 0)
      ]
      for (const { status } of await Promise.allSettled(outcomes)) t.equal(status, 'rejected')
      const late = b.hear('fwr.late')

      await engine.restart()
      await Promise.all([a.becomes(true), b.becomes(true)])
      publish(t, b, 'fwr.own', 'at once')
      await own.reaches(1)
      publish(t, a, 'fwr.x', 'after')
      publish(t, a, 'fwr.late', 'after')
      const heardLate = await late
      await Promise.all([heard.reaches(1), heardLate.reaches(1)])
      t.strictSame(
        [heard, heardLate, own].map(({ frames }) => frames),
        [['after'], ['after'], ['at once']]
      )
      t.strictSame(a.states, [true, false, true])
    }
  )

  t.test(
    'rejects a change when the engine dies meanwhile, and works after a restart',
    async (t) => {
      const { engine, a } = await two(t)
      let acknowledged = 0
      let revision = 0
      let dead: Promise<void> | undefined
      await t.rejects(async () => {
        for (;;) {
          const change = a.transport.cas('fwr.k', Buffer.from(String(acknowledged + 1)), revision)
          if (acknowledged === 20) dead = engine.kill()
          revision = await change
          acknowledged++
        }
      }, unavailable)
      await dead
      await engine.restart()
      await a.becomes(true)
      const value = Number(text((await a.transport.get('fwr.k'))?.value ?? Buffer.from('0')))
      t.ok(value === acknowledged || value === acknowledged + 1, `${value} of ${acknowledged}`)
    }
  )

  t.test('accepts new keys when the engine comes back empty', async (t) => {
    const { engine, a } = await two(t)
    t.ok(await a.transport.cas('fwr.k', Buffer.from('v'), 0) > 0)
    await Promise.all([engine.kill(), a.becomes(false)])
    await engine.restart(true)
    await a.becomes(true)
    t.equal(await a.transport.get('fwr.k'), undefined)
    t.ok(await a.transport.cas('fwr.k', Buffer.from('w'), 0) > 0)
  })

  t.test('accepts frames up to the limit of the engine, and refuses larger ones', async (t) => {
    const { a, b } = await two(t)
    const heard = await b.hear('fwr.x')
    const { maxFrame } = a.transport.caps
    t.ok(maxFrame >= 64 * 1024)
    t.equal(a.transport.publish('fwr.x', new Uint8Array(maxFrame + 1)), false)
    t.equal(a.transport.publish('fwr.x', new Uint8Array(maxFrame)), true)
    t.equal(a.transport.publish('fwr.x', new Uint8Array(1)), true)
    await heard.reaches(2)
    t.strictSame(heard.frames.map(({ length }) => length), [maxFrame, 1])
  })

  t.test('rejects pending and later requests after close, and leaves no socket', async (t) => {
    const engine = await start(t)
    const { transport } = engine.connect()
    const states: boolean[] = []
    await transport.open({ state: (up) => { states.push(up) } })
    await t.rejects(transport.open({ state: () => {} }), unavailable, 'it is opened once')
    const outcome = t.rejects(transport.get('fwr.k'), unavailable)
    const closed = transport.close()
    await outcome
    await Promise.all([closed, transport.close()])
    t.equal(transport.publish('fwr.x', Buffer.from('x')), false)
    await t.rejects(transport.flush(1000), unavailable)
    await until(() => !process.getActiveResourcesInfo().includes('TCPSocketWrap'))
    await engine.kill()
    t.strictSame(states, [true])
  })

  t.test('waits for an engine that is down at the start, until close', async (t) => {
    const engine = await start(t)
    await engine.kill()
    const { transport } = engine.connect()
    const opening = transport.open({ state: () => { t.fail('it is not there') } })
    const subscribing = transport.subscribe('fwr.x', () => {})
    const refused = Promise.all([
      t.rejects(opening, unavailable),
      t.rejects(subscribing, unavailable)
    ])
    await transport.close()
    await refused

    const waiting = engine.connect().transport
    t.teardown(() => waiting.close())
    const opened = waiting.open({ state: () => {} })
    await engine.restart()
    await opened
  })

  t.test(
    'reports a frozen engine as down after some seconds, and accepts at most 16 MiB before',
    async (t) => {
      const { engine, a, b } = await two(t)
      if (!engine.freeze || !engine.thaw) return
      const frame = new Uint8Array(64 * 1024)
      engine.freeze()
      let taken = 0
      while (a.transport.publish('fwr.x', frame)) taken += frame.length
      t.ok(taken > 0 && taken <= 16 * 1024 * 1024, `${taken} bytes`)
      await Promise.all([a.becomes(false), b.becomes(false)])

      const { transport } = engine.connect()
      const opening = t.rejects(transport.open({ state: () => {} }), unavailable)
      await transport.close()
      await opening
      await b.transport.close()

      engine.thaw()
      await a.becomes(true)
      t.ok(a.transport.publish('fwr.x', frame))
    }
  )
}
