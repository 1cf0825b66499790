import t from 'tap'
import { Rig } from '../connection/transports/clients.js'
import { held, recordingLogger } from '../process/helpers.js'
import { ticks } from '../properties/clock.js'
import { MemoryTransport } from '../connection/transports/memory-transport.js'
import { MemoryViewer } from './viewer.js'

function build (): { rig: Rig, viewer: MemoryViewer } {
  const rig = new Rig({ mailboxLimit: 100 })
  return { rig, viewer: new MemoryViewer(rig) }
}

t.test('answers at once, and then as often as it was asked to', async (t) => {
  const { rig, viewer } = build()
  viewer.ask({ view: 'overview', id: 1, every: '2s' })
  t.equal(await viewer.topics(), 'hello,answer 1')
  rig.clock.advance(1999)
  t.equal(await viewer.topics(), '')
  rig.clock.advance(1)
  t.equal(await viewer.topics(), 'answer 1')
  rig.clock.advance(2000)
  t.equal(await viewer.topics(), 'answer 1')
})

t.test('a request replaces the one with its id, and null ends it', async (t) => {
  const { rig, viewer } = build()
  viewer.ask({ view: 'overview', id: 'a' })
  t.equal(await viewer.topics(), 'hello,answer a')
  viewer.ask({ view: 'nodes', id: 'a' })
  rig.clock.advance(250)
  const [{ data: { view } }, ...others] = await viewer.read()
  t.strictSame([view, others], ['nodes', []])
  rig.clock.advance(1000)
  t.equal(await viewer.topics(), 'answer a')
  viewer.ask({ view: null, id: 'a' })
  viewer.ask({ view: null, id: 'unknown' })
  await rig.settle()
  rig.clock.advance(10_000)
  t.equal(await viewer.topics(), '')
})

t.test('has at most four watches, and one of them may be replaced', async (t) => {
  const { rig, viewer } = build()
  for (let id = 1; id <= 5; id++) viewer.ask({ view: 'nodes', id })
  t.equal(await viewer.topics(), 'hello,problem 5,answer 1,answer 2,answer 3,answer 4')
  viewer.ask({ view: 'overview', id: 4 })
  await rig.settle()
  rig.clock.advance(250)
  const messages = await viewer.read()
  t.match(messages.find(({ data: { id } }) => id === 4), { data: { view: 'overview' } })
})

t.test('many requests cause no more than four answers in a second', async (t) => {
  const { rig, viewer } = build()
  await viewer.read()
  let answers = 0
  for (let ms = 0; ms < 2000; ms += 10) {
    viewer.ask({ view: 'nodes', id: ms % 4 })
    await rig.settle()
    rig.clock.advance(10)
    answers += (await viewer.read()).length
  }
  t.equal(answers, 4 + 8, 'after four at once')
})

t.test('the answer to a request that was replaced meanwhile is not sent', async (t) => {
  const { rig, viewer } = build()
  await viewer.read()
  viewer.ask({ view: 'processes', id: 1 })
  // The mailbox and the views are read, but no pass runs yet.
  for (let i = 0; i < 3; i++) {
    rig.clock.run()
    await ticks()
  }
  viewer.ask({ view: 'nodes', id: 1 })
  rig.clock.advance(1000)
  const views = (await viewer.read()).map(({ data: { view } }) => view)
  t.strictSame(views, ['nodes'])
})

t.test('waits for a client that does not read', async (t) => {
  const { rig, viewer } = build()
  viewer.ask({ view: 'nodes', id: 1 })
  await viewer.read()
  viewer.transport.stall()
  rig.clock.advance(1000)
  await rig.settle()
  const { bufferedBytes } = viewer.transport
  t.ok(bufferedBytes > 0)
  rig.clock.advance(20_000)
  await rig.settle()
  t.equal(viewer.transport.bufferedBytes, bufferedBytes, 'one answer waits, and no other is made')
  viewer.transport.read()
  t.equal(await viewer.topics(), 'answer 1')
  rig.clock.advance(1000)
  t.equal(await viewer.topics(), 'answer 1')
  viewer.transport.stall()
  rig.clock.advance(1000)
  await rig.settle()
  rig.clock.advance(30_000)
  await rig.settle()
  viewer.transport.read()
  const [, { data }] = await viewer.read()
  t.match(data, { id: 1, code: 'FST_PROCESS_CALL_TIMEOUT' })
  rig.clock.advance(10_000)
  t.equal(await viewer.topics(), '', 'the watch has ended')
})

t.test('hears its own client only, whatever other processes send', async (t) => {
  const rig = new Rig({ mailboxLimit: 100 })
  const { processes } = rig
  const viewer = new MemoryViewer(rig, ['exit'])
  t.equal(await viewer.topics(), 'hello')
  const { pid } = rig.target()
  const own = processes.list().find((one) => processes.info(one)?.kind === 'ws')!
  const data = JSON.stringify({ action: 'exit', id: 1, pid })
  processes.send(viewer.pid, 'ws.message', { client_pid: own, type: 'text', data, metadata: {} })
  const stranger = new MemoryTransport(rig.clock, 50)
  const { pid: transferred } = rig.connect(rig.target(), stranger)
  await rig.settle()
  processes.send(transferred, 'ws.control', { target_pid: viewer.pid })
  await rig.settle()
  t.equal(processes.info(transferred)?.target, viewer.pid)
  stranger.send(data)
  viewer.ask({ view: 'nodes' })
  t.equal(await viewer.topics(), 'answer nodes')
  t.equal(processes.alive(pid), true)
  t.strictSame(stranger.received, [])
})

t.test('a trace that has ended is not answered any more', async (t) => {
  const { rig, viewer } = build()
  const { pid } = rig.target()
  viewer.ask({ view: 'trace', id: 1, pid })
  t.equal(await viewer.topics(), 'hello,answer 1')
  rig.processes.exit(pid)
  rig.clock.advance(1000)
  t.match(await viewer.read(), [{ data: { ended: true, pid } }])
  rig.clock.advance(5000)
  t.equal(await viewer.topics(), '')
})

/** Makes the view of ends fail, with a mistake of its code. */
function breakEnds ({ runtime }: Rig): void {
  Object.defineProperty(runtime.ends, 'records', {
    get () { throw new TypeError('a mistake') }
  })
}

t.test('a view that fails ends its watch with a problem', async (t) => {
  const { logger, lines } = recordingLogger()
  const rig = new Rig({ mailboxLimit: 100 })
  Object.assign(rig.runtime, { logger })
  const viewer = new MemoryViewer(rig)
  breakEnds(rig)
  viewer.ask({ view: 'ends', id: 1 })
  t.match(await viewer.read(), [
    { topic: 'hello' }, { topic: 'problem', data: { id: 1, code: 'ERR_UNKNOWN' } }
  ])
  t.match(lines, [{ level: 'error', args: [{ err: { message: 'a mistake' } }] }])
  rig.clock.advance(5000)
  t.equal(await viewer.topics(), '')
})

t.test('a failure of a view that is not watched any more is not shown', async (t) => {
  const { rig, viewer } = build()
  await viewer.read()
  breakEnds(rig)
  viewer.ask({ view: 'ends', id: 1 })
  // Its mail is read, but the view has no turn yet.
  for (let i = 0; i < 3; i++) {
    rig.clock.run()
    await ticks()
  }
  viewer.ask({ view: null, id: 1 })
  t.equal(await viewer.topics(), '')
})

t.test('leaves nothing behind when its client leaves, whatever it was doing', async (t) => {
  for (const wait of [0, 100, 250, 500, 1000, 30_000]) {
    const rig = new Rig({ mailboxLimit: 100 })
    const { pid } = rig.target()
    await rig.settle()
    const before = held(rig.runtime)
    const viewer = new MemoryViewer(rig)
    viewer.ask({ view: 'processes' })
    viewer.ask({ view: 'overview' })
    viewer.ask({ view: 'trace', pid })
    viewer.ask({ view: 'connections' })
    await rig.settle()
    rig.clock.advance(wait)
    viewer.transport.leave(1000, '')
    await rig.settle()
    // As the relay does for the process of one connection.
    rig.processes.cancel(viewer.pid)
    await rig.settle()
    t.strictSame(held(rig.runtime), before, `after ${wait} ms`)
    t.equal(rig.clock.runningTimers, 0)
    t.equal(rig.clock.busy, false)
  }
})
