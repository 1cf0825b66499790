// Several processes send to many receivers on other nodes in different loops, while links lose
// frames, channels are reset and windows are full. Each receiver gets its messages in order. It is
// notified of missed messages before it gets a later one. docs/cluster.md, "Promises".
import { encodeChannelHeader } from '../../../lib/cluster/link/codec.js'
import { Peer } from '../../../lib/cluster/membership/peer.js'
import { Router } from '../../../lib/cluster/remote/router.js'
import { timings } from '../../../lib/cluster/timing.js'
import { contextWithBatches } from '../../cluster/fixtures/context.js'
import { receive, TestNode } from '../../cluster/fixtures/pair.js'
import { TestClock } from '../../cluster/fixtures/time.js'
import { equal, suiteOf } from '../suite.js'
import { histories, names, receiversOfNode } from './fan-out-steps.js'
import type { Channel } from '../../../lib/cluster/link/channel.js'
import type { Pid } from '../../../types/pid.js'
import type { Step } from './fan-out-steps.js'

const timing = timings.default

const batchBytes = 4096
/** More frames than fit into a window. */
const floodSize = 4200

/** The messages of one node to one receiver, and its progress. */
class Stream {
  readonly sent: { readonly content: string, readonly accepted: boolean }[] = []
  /** The first message that has neither arrived nor been skipped. */
  #next = 0
  #received = 0

  /** The number of skipped messages. */
  get missing (): number {
    return this.#next - this.#received
  }

  receive (content: string): void {
    while (
      this.#next < this.sent.length &&
      (!this.sent[this.#next].accepted || this.sent[this.#next].content !== content)
    ) { this.#next++ }
    if (this.#next === this.sent.length) {
      throw new Error(`${content.slice(0, 60)} came out of order, or was never taken`)
    }
    this.#next++
    this.#received++
  }

  /** Counts all remaining messages as skipped, because no frame is in flight. */
  end (): void {
    this.#next = this.sent.length
  }
}

interface Batch {
  readonly type: number
  readonly bytes: Buffer
}

class Node {
  readonly name: string
  readonly hub: TestNode
  readonly router: Router
  readonly peers = new Map<string, Peer>()
  readonly senders: Pid[]
  readonly receivers: Pid[]
  /** Batches in flight to each other node. */
  readonly out = new Map<string, Batch[]>()
  readonly streams = new Map<string, Stream>()
  readonly notified = new Map<Pid, number>()
  readonly dirty = new Set<Channel>()

  constructor (name: string) {
    this.name = name
    this.hub = new TestNode(name)
    this.router = new Router(this.hub, this.hub)
    this.hub.ofPid = (pid) => this.#peerOf(pid, true) as never
    this.hub.recordUnreachable = (pid) => {
      this.#peerOf(pid, false)!.recordRefusal(Number(pid.slice(0, pid.indexOf('@'))))
    }
    const { local: here } = this.hub
    this.senders = [here.spawn(), here.spawn()]
    this.receivers = Array.from({ length: receiversOfNode }, () => here.spawn())
    here.deliver = (to, topic, payload, from) => {
      this.#received(to, topic, payload, from!)
      return true
    }
    here.deliverToMany = (to, topic, payload, _again, from) => {
      for (const pid of to) this.#received(pid, topic, payload, from!)
    }
    here.missed = (pid, count) => { this.notified.set(pid, (this.notified.get(pid) ?? 0) + count) }
    here.exit = () => true
  }

  connect (other: Node, clock: TestClock): void {
    const { name } = other
    this.out.set(name, [])
    const peer: Peer = new Peer(contextWithBatches(batchBytes, { clock }), name, 1, {
      node: name,
      publishBatch: (type, header, parts) => {
        this.out
          .get(name)!
          .push({ type, bytes: Buffer.concat([encodeChannelHeader(header), ...parts]) })
        return true
      },
      scheduleFlush: (channel) => { if (peer.up) this.dirty.add(channel) },
      handleFrame: (frame) => receive({ unit: this.router, peer }, frame) === true,
      channelReset: () => { this.router.channelReset(peer) }
    })
    peer.up = true
    this.peers.set(name, peer)
  }

  #peerOf (pid: Pid, up: boolean): Peer | undefined {
    for (const peer of this.peers.values()) {
      if (pid.endsWith(peer.suffix)) return peer.up || !up ? peer : undefined
    }
    return undefined
  }

  stream (to: Pid, from: Pid): Stream {
    const key = `${from.slice(from.indexOf('@'))}>${to}`
    let stream = this.streams.get(key)
    if (stream === undefined) this.streams.set(key, stream = new Stream())
    return stream
  }

  #received (to: Pid, topic: string, payload: unknown, from: Pid): void {
    this.stream(to, from).receive(contentOf(topic, payload, from))
    this.checkHoles(to)
  }

  /** Checks that a receiver was notified of each message that it missed. */
  checkHoles (to: Pid): void {
    let missing = 0
    for (const [key, stream] of this.streams) if (key.endsWith(`>${to}`)) missing += stream.missing
    const notified = this.notified.get(to) ?? 0
    if (missing > notified) throw new Error(`${to} misses ${missing} messages, and was told of ${notified}`)
  }

  endTurn (): void {
    const dirty = [...this.dirty]
    this.dirty.clear()
    for (const channel of dirty) channel.flush()
  }
}

function contentOf (topic: string, payload: unknown, from: Pid): string {
  const { data } = payload as { data?: unknown }
  return JSON.stringify([
    from,
    topic,
    data instanceof Uint8Array
      ? { ...(payload as object), data: Buffer.from(data).toString('hex') }
      : payload
  ])
}

/** Creates a new payload for each send, as a plain loop does. */
function payloadOf ({ kind, n }: { kind: string, n: number }): [topic: string, payload: unknown] {
  switch (kind) {
    case 'text': return ['ws.send', { type: 'text', data: `text ${n}` }]
    case 'bare': return ['ws.send', { data: `text ${n}` }]
    case 'binary': return ['ws.send', { type: 'binary', data: Buffer.from([n, n]) }]
    case 'long': return ['ws.send', { type: 'text', data: `${n}`.repeat(20_000) }]
    case 'bytes': return ['bytes', Buffer.from([n])]
    default: return ['note', { n }]
  }
}

class Cluster {
  readonly clock = new TestClock()
  readonly nodes = names.map((name) => new Node(name))
  /** Resets a channel. Frames in flight may have arrived, but count as missed. */
  #wasReset = false

  constructor () {
    for (const node of this.nodes) {
      for (const other of this.nodes) if (node !== other) node.connect(other, this.clock)
    }
  }

  #send (
    from: Node,
    to: Node,
    sender: number,
    receiver: number,
    [topic, payload]: [string, unknown]
  ): void {
    const pid = to.receivers[receiver]
    const source = from.senders[sender]
    const content = contentOf(topic, payload, source)
    const accepted = from.router.send(pid, topic, payload, source)
    to.stream(pid, source).sent.push({ content, accepted })
    // A sender may change its bytes after the send.
    if (payload instanceof Uint8Array) payload.fill(0xff)
  }

  #reset (node: Node, other: Node, why: string): void {
    this.#wasReset = true
    node.peers.get(other.name)!.channel.reset(why)
  }

  async play (step: Step): Promise<void> {
    if (step.action === 'endTurn') return this.#endTurn()
    if (step.action === 'wait') return await this.#wait((step as { ms: number }).ms)
    const { node: i, other: j } = step as { node: number, other: number }
    if (i === j) return
    const [from, to] = [this.nodes[i], this.nodes[j]]
    const peer = from.peers.get(to.name)!
    switch (step.action) {
      case 'send':
        return this.#loop(from, to, step as never)
      case 'flood':
        for (let n = 0; n < floodSize; n++) {
          for (const receiver of (step as { receivers: number[] }).receivers) {
            this.#send(from, to, 0, receiver, ['ws.send', { type: 'text', data: `flood ${n}` }])
          }
        }
        return
      case 'exit':
        from.router.exit(to.receivers[0], 'boom')
        return
      case 'exchange':
        return await this.#exchange(from, to)
      case 'carry':
        return this.#carry(from, to, (step as { most: number }).most)
      case 'lose':
        from.out.get(to.name)!.length = 0
        return
      case 'reset':
        return this.#reset(from, to, 'a test')
      case 'down':
        if (!peer.up) return
        peer.up = false
        this.#reset(from, to, 'it is silent')
        from.dirty.delete(peer.channel)
        return
      case 'up':
        return this.#up(from, peer)
    }
  }

  #up (node: Node, peer: Peer): void {
    peer.up = true
    node.dirty.add(peer.channel)
  }

  #loop (
    from: Node,
    to: Node,
    {
      sender,
      receivers,
      payloads,
      byReceiver
    }: {
      sender: number
      receivers: number[]
      payloads: { kind: string, n: number }[]
      byReceiver: boolean
    }
  ): void {
    if (byReceiver) {
      for (const receiver of receivers) {
        for (const each of payloads) this.#send(from, to, sender, receiver, payloadOf(each))
      }
    } else {
      for (const each of payloads) {
        for (const receiver of receivers) this.#send(from, to, sender, receiver, payloadOf(each))
      }
    }
  }

  #carry (from: Node, to: Node, most: number): void {
    const peer = to.peers.get(from.name)!
    for (const { type, bytes } of from.out.get(to.name)!.splice(0, most)) {
      if (!peer.up) this.#up(to, peer)
      if (!peer.channel.receiveBatch(type, bytes, 0)) {
        throw new Error('a batch of ours was taken for garbage')
      }
    }
  }

  /** Delivers all frames to a node and its acknowledgements, within the turn of the sender. */
  async #exchange (from: Node, to: Node): Promise<void> {
    from.endTurn()
    this.#carry(from, to, Infinity)
    await this.clock.pass(timing.ack)
    this.#carry(to, from, Infinity)
  }

  #endTurn (): void {
    for (const node of this.nodes) node.endTurn()
  }

  async #wait (ms: number): Promise<void> {
    await this.clock.pass(ms)
    for (const node of this.nodes) {
      for (const { up, channel } of node.peers.values()) if (up) channel.tick(this.clock.now())
    }
    this.#endTurn()
  }

  /** Restores all links, and waits until all frames have arrived. */
  async heal (): Promise<void> {
    for (const node of this.nodes) {
      for (const peer of node.peers.values()) if (!peer.up) this.#up(node, peer)
    }
    this.#endTurn()
    for (const node of this.nodes) {
      for (const { channel } of node.peers.values()) channel.resendAll()
    }
    const isQuiet = (): boolean =>
      this.nodes.every((node) =>
        [...node.peers.values()].every(
          ({ channel }) => channel.unacknowledged === 0 && !channel.missedMessages.hasAny
        )
      )
    for (let i = 0; i < 100 && (i < 8 || !isQuiet()); i++) {
      for (const node of this.nodes) {
        for (const other of this.nodes) if (node !== other) this.#carry(node, other, Infinity)
      }
      this.#endTurn()
      await this.#wait(100)
    }
    if (!isQuiet()) throw new Error('frames, or notices of misses, remain')
  }

  check (): void {
    for (const node of this.nodes) {
      for (const stream of node.streams.values()) stream.end()
      for (const pid of node.receivers) {
        node.checkHoles(pid)
        if (this.#wasReset) continue
        const refused = [...node.streams]
          .filter(([key]) => key.endsWith(`>${pid}`))
          .flatMap(([, { sent }]) => sent.filter(({ accepted }) => !accepted)).length
        equal(node.notified.get(pid) ?? 0, refused, `messages that ${pid} was told to miss`)
      }
      equal(
        [...node.peers.values()].reduce((size, { channel }) => size + channel.size, 0),
        0,
        'records that remain'
      )
    }
  }

  /** Lets the last acknowledgements go. Nothing answers them. */
  async rest (): Promise<void> {
    await this.#wait(timing.nack)
  }
}

async function run (history: readonly Step[]): Promise<void> {
  const cluster = new Cluster()
  for (const step of history) await cluster.play(step)
  await cluster.heal()
  cluster.check()
  await cluster.rest()
  equal(cluster.clock.pending, 0, 'timers that remain')
}

export const fanOut = suiteOf('fan-out', histories, run)
