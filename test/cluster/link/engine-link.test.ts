import t from 'tap'
import { decodeSource, encodeSource } from '../../../lib/cluster/link/codec.js'
import { EngineLink } from '../../../lib/cluster/link/engine-link.js'
import { counters } from '../support.js'
import type { Transport, TransportEvents } from '../../../types/cluster.js'

function setUp () {
  const stats = counters()
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
    async subscribe (topic: string, listener: (frame: Uint8Array) => void) { listeners.set(topic, listener) }
  } as unknown as Transport
  const thrown: unknown[] = []
  const line = new EngineLink({
    transport,
    prefix: 'fwr',
    node: 'a',
    incarnation: 36,
    counters: stats,
    stateChanged (up) { changes.push(up) },
    guard (task) {
      try {
        task()
      } catch (err) {
        thrown.push(err)
      }
    }
  })
  return { stats, changes, published, engine, listeners, thrown, line, state: (up: boolean) => { events!.state(up) } }
}

t.test('it is open when the engine is in reach; each change is told once', async (t) => {
  const { line, changes, state } = setUp()
  const opening = line.open()
  await new Promise(setImmediate)
  t.equal(line.up, false)
  state(true)
  await opening
  for (const up of [true, false, false, true]) state(up)
  t.strictSame(changes, [true, false, true])
  t.equal(line.up, true)
})

t.test('why it could not be opened is kept: what caused the error, or what was thrown in place of one', async (t) => {
  const cause = new Error('the port is shut')
  for (const [refusal, failure] of [[new Error('no', { cause }), cause], ['no', 'no'], [new Error('no'), undefined]]) {
    const { line, engine } = setUp()
    t.equal(line.failure, undefined)
    engine.refusal = refusal
    t.equal(await line.open().catch((thrown: unknown) => thrown), refusal)
    t.equal(line.failure, failure)
  }
})

t.test('what is published says who says it; nothing is while the engine is away, or does not take it', async (t) => {
  const { line, published, engine, stats, state } = setUp()
  const publish = (): boolean => line.publish('fwr.x', { type: 1 }, [Buffer.from('ab'), Buffer.from('c')])
  const opening = line.open()
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
})

t.test('topics have the prefix', async (t) => {
  const { line } = setUp()
  t.equal(line.heartbeatTopic, 'fwr.hb')
  t.equal(line.inboxTopic('b', 36), 'fwr.n.b.10')
})

t.test('what comes in is counted, and never throws at the client', async (t) => {
  const { line, listeners, stats, thrown } = setUp()
  const heard: string[] = []
  await line.subscribe('fwr.x', (bytes) => {
    heard.push(bytes.toString())
    throw new Error('no')
  })
  listeners.get('fwr.x')!(new Uint8Array(Buffer.from('xhello')).subarray(1))
  t.strictSame(heard, ['hello'])
  t.equal(stats.batchesIn, 1)
  t.match(thrown, [{ message: 'no' }])
})

t.test('what this node published itself is not heard', async (t) => {
  const { line, listeners, stats, published, state } = setUp()
  const opening = line.open()
  await new Promise(setImmediate)
  state(true)
  await opening
  line.publish('fwr.x', { type: 1 }, [Buffer.from('own')])
  let heard = 0
  await line.subscribe('fwr.x', () => { heard++ })
  const [[, own]] = published
  listeners.get('fwr.x')!(own)
  t.equal(stats.batchesIn, 0)
  for (const other of [encodeSource({ type: 1, node: 'b', incarnation: 36 }), encodeSource({ type: 1, node: 'a', incarnation: 37 }), own.subarray(0, 5)]) {
    listeners.get('fwr.x')!(other)
  }
  t.equal(heard, 3)
})

t.test('a line that is silent says nothing and hears nobody', async (t) => {
  const { line, listeners, published, stats, state } = setUp()
  const opening = line.open()
  await new Promise(setImmediate)
  state(true)
  await opening
  await line.subscribe('fwr.x', () => { t.fail('it was heard') })
  line.silence()
  listeners.get('fwr.x')!(Buffer.from('x'))
  t.equal(line.publish('fwr.x', { type: 1 }, []), false)
  t.strictSame(published, [])
  t.equal(stats.batchesIn, 0)
})

t.test('the engine takes what is on its way, where there is one', async (t) => {
  const { line, engine, state } = setUp()
  await line.flush(5)
  t.equal(engine.flushed, 0)
  const opening = line.open()
  await new Promise(setImmediate)
  state(true)
  await opening
  await line.flush(5)
  engine.fails = true
  await line.flush(5)
  t.equal(engine.flushed, 2)
})
