import t from 'tap'
import { decodeSource, encodeSource } from '../../../lib/cluster/link/codec.js'
import { EngineLink } from '../../../lib/cluster/link/engine-link.js'
import { testContext } from '../fixtures/context.js'
import { silentLogger } from '../../../lib/process/index.js'
import type { ClusterTransport, TransportEvents } from '../../../types/cluster.js'

function setUp () {
  const changes: boolean[] = []
  const published: [string, Buffer][] = []
  const engine = { takes: true, flushed: 0, fails: false, refusal: undefined as unknown }
  let events: TransportEvents | undefined
  const listeners = new Map<string, (frame: Uint8Array) => void>()
  const transport = {
    async open (on: TransportEvents) {
      if (engine.refusal !== undefined) throw engine.refusal
      events = on
    },
    publish (topic: string, frame: Uint8Array) {
      if (engine.takes) published.push([topic, frame as Buffer])
      return engine.takes
    },
    async flush () {
      engine.flushed++
      if (engine.fails) throw new Error('it is away')
    },
    async subscribe (topic: string, listener: (frame: Uint8Array) => void) {
      listeners.set(topic, listener)
    }
  } as unknown as ClusterTransport
  const thrown: unknown[] = []
  const context = testContext({
    transport,
    prefix: 'fwr',
    incarnation: 36,
    logger: { ...silentLogger, error: (data) => { thrown.push((data as { err: unknown }).err) } }
  })
  const link = new EngineLink(context, (up) => { changes.push(up) })
  return {
    stats: context.counters,
    changes,
    published,
    engine,
    listeners,
    thrown,
    link,
    state: (up: boolean) => { events!.state(up) }
  }
}

t.test('opens when the engine is reachable, and reports each change once', async (t) => {
  const { link, changes, state } = setUp()
  const opening = link.open()
  await new Promise(setImmediate)
  t.equal(link.up, false)
  state(true)
  await opening
  for (const up of [true, false, false, true]) state(up)
  t.strictSame(changes, [true, false, true])
  t.equal(link.up, true)
})

t.test(
  'keeps the reason when opening fails: the cause of the error, or the thrown value',
  async (t) => {
    const cause = new Error('the port is shut')
    for (const [refusal, failure] of [
      [new Error('no', { cause }), cause],
      ['no', 'no'],
      [new Error('no'), undefined]
    ]) {
      const { link, engine } = setUp()
      t.equal(link.failure, undefined)
      engine.refusal = refusal
      t.equal(await link.open().catch((thrown: unknown) => thrown), refusal)
      t.equal(link.failure, failure)
    }
  }
)

t.test(
  'puts its source before each batch, and returns false when the engine is down or refuses it',
  async (t) => {
    const { link, published, engine, stats, state } = setUp()
    const publish = (): boolean =>
      link.publish('fwr.x', { type: 1 }, [Buffer.from('ab'), Buffer.from('c')])
    const opening = link.open()
    t.equal(publish(), false)
    await new Promise(setImmediate)
    state(true)
    await opening
    t.equal(publish(), true)
    engine.takes = false
    t.equal(publish(), false)
    t.equal(stats.batchesOut, 1)
    const [[topic, bytes]] = published
    const source = decodeSource(bytes)!
    t.match([topic, source], ['fwr.x', { type: 1, node: 'a', incarnation: 36 }])
    t.equal(bytes.toString('utf8', source.end), 'abc')
  }
)

t.test('begins topics with the prefix', async (t) => {
  const { link } = setUp()
  t.equal(link.heartbeatTopic, 'fwr.hb')
  t.equal(link.inboxTopic('b', 36), 'fwr.n.b.10')
})

t.test('counts received batches, and never throws into the client of the engine', async (t) => {
  const { link, listeners, stats, thrown } = setUp()
  const heard: string[] = []
  await link.subscribe('fwr.x', (bytes) => {
    heard.push(bytes.toString())
    throw new Error('no')
  })
  listeners.get('fwr.x')!(new Uint8Array(Buffer.from('xhello')).subarray(1))
  t.strictSame(heard, ['hello'])
  t.equal(stats.batchesIn, 1)
  t.match(thrown, [{ message: 'no' }])
})

t.test('ignores batches that this node published itself', async (t) => {
  const { link, listeners, stats, published, state } = setUp()
  const opening = link.open()
  await new Promise(setImmediate)
  state(true)
  await opening
  link.publish('fwr.x', { type: 1 }, [Buffer.from('own')])
  let heard = 0
  await link.subscribe('fwr.x', () => { heard++ })
  const [[, own]] = published
  listeners.get('fwr.x')!(own)
  t.equal(stats.batchesIn, 0)
  for (const other of [
    encodeSource({ type: 1, node: 'b', incarnation: 36 }),
    encodeSource({ type: 1, node: 'a', incarnation: 37 }),
    own.subarray(0, 5)
  ]) {
    listeners.get('fwr.x')!(other)
  }
  t.equal(heard, 3)
})

t.test('publishes and receives nothing after silence', async (t) => {
  const { link, listeners, published, stats, state } = setUp()
  const opening = link.open()
  await new Promise(setImmediate)
  state(true)
  await opening
  await link.subscribe('fwr.x', () => { t.fail('it was heard') })
  link.silence()
  listeners.get('fwr.x')!(Buffer.from('x'))
  t.equal(link.publish('fwr.x', { type: 1 }, []), false)
  t.strictSame(published, [])
  t.equal(stats.batchesIn, 0)
})

t.test('flushes the engine only while it is reachable', async (t) => {
  const { link, engine, state } = setUp()
  await link.flush(5)
  t.equal(engine.flushed, 0)
  const opening = link.open()
  await new Promise(setImmediate)
  state(true)
  await opening
  await link.flush(5)
  engine.fails = true
  await link.flush(5)
  t.equal(engine.flushed, 2)
})
