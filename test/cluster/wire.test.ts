// Pins the bytes between nodes: one recorded frame of each type, and one batch of each type. Nodes
// of other releases must understand them, so a recorded frame never changes while the version of
// the protocol is the same.
import t from 'tap'
import { recordedBatches, recordedFrames } from './fixtures/wire.js'
import { targetOf, TestCluster, watcher } from './support.js'
import {
  batchTypes,
  decodeSource,
  encodeChannelHeader,
  encodeNumber,
  encodeSource,
  version
} from '../../lib/cluster/link/codec.js'
import { frameTypes } from '../../lib/cluster/link/frame-types.js'
import type { TestNode } from './support.js'
import type { Caller } from '../../lib/cluster/remote/remote-calls.js'

/** The length of a channel header. */
const headerSize = encodeChannelHeader({ src: 1, dst: 0, ack: 0 }).length
/** Only the beginning of a long frame is compared. */
const comparedBytes = 160

/** The first frame and the first batch of each type that a node has published. */
class Recorder {
  readonly frames = new Map<number, string>()
  readonly batches = new Map<number, string>()
  /** Whether the engine carries the next batches. */
  engine: 'carries' | 'loses' | 'refuses' = 'carries'

  attach ({ transport }: TestNode): void {
    const publish = transport.publish.bind(transport)
    transport.publish = (topic, bytes) => {
      const batch = Buffer.from(bytes)
      const source = decodeSource(batch)!
      const isChannel = source.type === batchTypes.frames
      const hasFrames = isChannel || source.type === batchTypes.broadcast
      const start = isChannel ? source.end + headerSize : source.end
      if (hasFrames && batch.length > start && this.engine === 'refuses') return false
      this.#add(this.batches, source.type, batch.subarray(0, start + 6))
      if (hasFrames) this.#addFrames(batch.subarray(start))
      return (this.engine === 'loses' && isChannel) || publish(topic, bytes)
    }
  }

  #addFrames (bytes: Buffer): void {
    for (let at = 0; at < bytes.length;) {
      const end = at + 4 + bytes.readUInt32BE(at)
      this.#add(this.frames, bytes[at + 4], bytes.subarray(at, end))
      at = end
    }
  }

  #add (map: Map<number, string>, type: number, bytes: Buffer): void {
    if (!map.has(type)) map.set(type, bytes.toString('hex', 0, comparedBytes))
  }

  /** By the names of the types. */
  named (map: ReadonlyMap<number, string>, types: object): Record<string, string | undefined> {
    return Object.fromEntries(Object.entries(types).map(([name, type]) => [name, map.get(type)]))
  }
}

function caller (): Caller {
  return { reply () {}, fail () {}, reject () {}, targetEnded () {} }
}

/** Has two nodes exchange every type of frame and batch. */
async function exchangeAll (recorder: Recorder): Promise<void> {
  const cluster = new TestCluster()
  const a = cluster.make('a')
  const b = cluster.make('b')
  for (const node of [a, b]) {
    recorder.attach(node)
    const incarnation = await cluster.settle(node.cluster.start())
    node.here.suffix = `@${node.cluster.node}.${incarnation.toString(36)}`
  }
  await cluster.run(2000)
  const { remote, groups } = a.cluster
  const from = a.here.spawn()
  const [to, other, third, fourth] = [1, 2, 3, 4].map(() => b.here.spawn())
  b.here.deliver = (pid, topic, _payload, _sender, call) => {
    if (topic === 'replies') call!.reply({ list: [1, 'two', null] })
    else if (topic === 'fails') call!.fail(new TypeError('no'))
    else if (topic === 'ends') b.here.end(pid, 'ended')
    return topic !== 'refused'
  }

  // Messages and signals
  remote.send(to, 'topic', { text: 'plain', date: new Date(5), list: [1, -2, 0.5] }, from)
  await cluster.run(100)
  for (const text of ['one', 'two']) {
    for (const pid of [to, other]) remote.send(pid, 'ws.send', { type: 'text', data: text }, from)
    await cluster.run(100)
  }
  remote.send(to, 'long', Buffer.alloc(100_000, 7), from)
  await cluster.run(500)
  remote.exit(b.here.spawn(), 'reason')
  remote.cancel(b.here.spawn(), 'reason', from)

  // Calls
  for (const topic of ['replies', 'fails', 'refused']) {
    remote.send(to, topic, { n: 1 }, from, caller())
    await cluster.run(100)
  }
  remote.send(b.here.spawn(), 'ends', 1, from, caller())
  const forgotten = caller()
  remote.send(to, 'waits', undefined, from, forgotten)
  remote.demonitor(to, forgotten)
  await cluster.run(100)

  // Monitors and links
  const listener = watcher()
  remote.monitor(to, listener)
  remote.demonitor(to, listener)
  const ending = b.here.spawn()
  remote.monitor(ending, listener)
  a.cluster.remote.link(from, other)
  await cluster.run(100)
  remote.unlink(from, other)
  remote.link(from, ending)
  await cluster.run(100)
  b.here.end(ending, 'done')
  await cluster.run(100)

  // Bindings
  const target = targetOf(await cluster.settle(remote.bind(third, watcher())))
  const metadata = { user: 'ada' }
  target.accept('ws.join', { client_pid: from, metadata }, from, 0)
  target.accept('full', { client_pid: from, type: 'text', data: 'hi', metadata }, from, 2)
  target.deliver('ws.heartbeat', { client_pid: from, uptime: 1, metadata }, from)
  await cluster.run(100)

  // Groups
  await cluster.settle(b.cluster.groups.join('group', fourth))
  groups.broadcast('group', 'topic', { n: 1 }, { from, except: fourth })
  await cluster.settle(groups.members('group'))
  await cluster.settle(b.cluster.groups.leave('group', fourth))
  await cluster.settle(b.cluster.groups.join('group', fourth))

  // A lost batch: the next one is answered with a nack.
  recorder.engine = 'loses'
  remote.send(to, 'lost', 1, from)
  await cluster.run(10)
  recorder.engine = 'carries'
  remote.send(to, 'later', 2, from)
  await cluster.run(3000)

  // While the engine refuses batches, a broadcast takes the channel.
  const refuse = (): void => {
    recorder.engine = 'refuses'
    remote.send(to, 'waits', 1, from)
    groups.broadcast('group', 'topic', 'waits too', { from, except: fourth })
  }
  refuse()
  recorder.engine = 'carries'
  await cluster.run(200)

  // Garbage in the name of `b` resets the channel, and the frames that wait are lost.
  refuse()
  const [incarnationOfA, incarnationOfB] = [a, b].map(({ here }) => here.suffix.split('.')[1])
  cluster.engine.forward(`test.n.a.${incarnationOfA}`, Buffer.concat([
    encodeSource({ type: 99, node: 'b', incarnation: parseInt(incarnationOfB, 36) }),
    encodeChannelHeader({ src: Math.floor(cluster.world.now / 1000), dst: 0, ack: 0 })
  ]))
  await cluster.run(20)
  recorder.engine = 'carries'
  await cluster.run(2000)

  // A heartbeat of an earlier incarnation
  cluster.engine.forward('test.hb', Buffer.concat([
    encodeSource({ type: batchTypes.heartbeat, node: 'b', incarnation: 1 }), encodeNumber(0)
  ]))
  await cluster.run(6000)

  // A process of a key ends, and the mail of a client comes back.
  const mail = { client_pid: from, type: 'text', data: 'back', metadata }
  b.here.unread.add(from)
  b.here.takeMail = () => [{ payload: mail, bytes: 4 }]
  const late = targetOf(await cluster.settle(remote.bind(fourth, watcher())))
  late.accept('ws.join', { client_pid: from, metadata }, from, 0)
  late.accept('model', { client_pid: from, type: 'text', data: '4', metadata }, from, 1)
  await cluster.run(100)
  b.here.end(fourth, 'normal')
  await cluster.run(100)
  b.cluster.announceClosing()
  await cluster.run(100)
}

t.test('sends the recorded bytes for each type of frame and batch', async (t) => {
  const recorder = new Recorder()
  await exchangeAll(recorder)
  t.equal(version, 2)
  const frames = recorder.named(recorder.frames, frameTypes)
  const batches = recorder.named(recorder.batches, batchTypes)
  t.strictSame(frames, recordedFrames)
  t.strictSame(batches, recordedBatches)
})
