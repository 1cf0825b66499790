// Walks each cell of the table at the top of `channel.ts`: brings a channel into the state, causes
// the event, and compares the next state and the action.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { contextWithBatches } from '../fixtures/context.js'
import { TestClock } from '../fixtures/time.js'
import { root } from '../../program.js'
import { Channel } from '../../../lib/cluster/link/channel.js'
import {
  batchTypes, encodeChannelHeader, encodeFrame, encodeNumber
} from '../../../lib/cluster/link/codec.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import type { ChannelState } from '../../../lib/cluster/link/channel.js'
import type { ChannelHeader } from '../../../lib/cluster/link/codec.js'

/** The connection number of the other node in the state `connected`. */
const remote = 7
const theirFrame = encodeFrame({ type: frameTypes.monitor, text: 'theirs' }, 1)
const nameOf = new Map(Object.entries(batchTypes).map(([name, type]) => [type as number, name]))

class Scene {
  readonly clock = new TestClock()
  readonly context = contextWithBatches(1024, { clock: this.clock })
  /** Names of the published batches. A reset has the connection that it resets. */
  sent: string[] = []
  handled: string[] = []
  resets = 0
  readonly channel = new Channel(this.context, {
    node: 'b',
    publishBatch: (type, header) => {
      this.sent.push(type === batchTypes.reset ? `reset ${header.dst}` : nameOf.get(type)!)
      return true
    },
    scheduleFlush: () => { this.sent.push('flush') },
    handleFrame: ({ text }) => {
      this.handled.push(text)
      return true
    },
    channelReset: () => { this.resets++ }
  })

  /** The connection number of the channel. */
  local = Math.floor(this.clock.now() / 1000)

  constructor (state: ChannelState) {
    // An earlier connection of each node is closed already, so that batches may be stale.
    this.receive({ src: remote - 2, dst: 0, ack: 0 })
    this.channel.reset('a test')
    this.local++
    if (state === 'opening') this.send()
    if (state === 'connected') {
      this.receive({ src: remote, dst: 0, ack: 0 }, batchTypes.frames, Buffer.alloc(0))
    }
    this.channel.flush()
    this.forget()
    // A second reset of one connection waits for a moment.
    this.clock.jump(1000)
  }

  forget (): void {
    this.sent = []
    this.handled = []
    this.resets = 0
  }

  send (): void {
    this.channel.sendFrame({ type: frameTypes.monitor, text: 'ours' }, 'message')
  }

  receive (
    header: ChannelHeader, type: number = batchTypes.frames, rest = theirFrame
  ): void {
    this.channel.receiveBatch(type, Buffer.concat([encodeChannelHeader(header), rest]), 0)
  }
}

const events: Readonly<Record<string, (scene: Scene) => void>> = {
  send: (scene) => { scene.send() },
  'engine back': ({ channel }) => { channel.resendAll() },
  current: (scene) => { scene.receive({ src: remote, dst: 0, ack: 0 }) },
  stale: (scene) => { scene.receive({ src: remote - 2, dst: 0, ack: 0 }) },
  unknown: (scene) => { scene.receive({ src: remote, dst: scene.local + 1, ack: 0 }) },
  restarted: (scene) => { scene.receive({ src: remote + 1, dst: 0, ack: 0 }) },
  crossed: (scene) => { scene.receive({ src: remote + 1, dst: scene.local, ack: 0 }) },
  reset: (scene) => { scene.receive({ src: remote, dst: scene.local, ack: 0 }, batchTypes.reset) },
  'other reset': (scene) => {
    scene.receive({ src: remote, dst: scene.local - 1, ack: 0 }, batchTypes.reset)
  },
  garbage: (scene) => { scene.receive({ src: remote, dst: 0, ack: 0 }, 99) }
}

/** The traces of each action: published batches, handled frames, and the number of resets. */
const traces: Readonly<Record<string, (event: string) => unknown>> = {
  flush: () => [['flush'], [], 0],
  ping: () => [['ping'], [], 0],
  'resend, ping': () => [['frames', 'ping'], [], 0],
  handle: () => [[], ['theirs'], 0],
  answer: () => [[`reset ${remote - 2}`], [], 0],
  drop: () => [[], [], 0],
  'reset and handle': () => [[`reset ${remote}`], ['theirs'], 1],
  'reset and answer': () => [[`reset ${remote}`, `reset ${remote + 1}`], [], 1],
  next: () => [[], [], 1],
  'next and ping': () => [['ping'], [], 1],
  'next and notify': () => [[`reset ${remote}`], [], 1],
  notify: () => [[`reset ${remote}`], [], 1]
}

const source = await readFile(join(root, 'lib/cluster/link/channel.ts'), 'utf8')
const [[, ...states], , ...rows] = source.split('\n')
  .filter((line) => line.startsWith(' * |'))
  .map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim()))

t.test('has a row for each event', async (t) => {
  t.strictSame(states, ['unused', 'opening', 'connected'])
  t.strictSame(rows.map(([event]) => event), Object.keys(events))
})

for (const [event, ...cells] of rows) {
  for (const [i, cell] of cells.entries()) {
    const state = states[i] as ChannelState
    if (cell === '-') continue
    t.test(`${event} in the state ${state} is ${cell}`, async (t) => {
      const [next, action] = cell.split(': ')
      const scene = new Scene(state)
      t.equal(scene.channel.state, state)
      // A channel that is connected has a frame to resend.
      if (action === 'resend, ping' && state === 'connected') scene.send()
      scene.channel.flush()
      scene.forget()
      events[event](scene)
      t.equal(scene.channel.state, next)
      t.strictSame([scene.sent, scene.handled, scene.resets], traces[action](event))
    })
  }
}

t.test('begins a connection above the number that the other node has closed', async (t) => {
  const scene = new Scene('connected')
  const closed = scene.local + 5
  scene.receive({ src: remote, dst: scene.local, ack: closed }, batchTypes.reset)
  scene.forget()
  scene.receive({ src: remote + 1, dst: closed, ack: 0 })
  t.strictSame([scene.sent, scene.channel.state], [[`reset ${remote + 1}`], 'unused'], 'it is stale')
})

t.test('reads a ping as current', async (t) => {
  const scene = new Scene('connected')
  scene.receive({ src: remote, dst: 0, ack: 0 }, batchTypes.ping, encodeNumber(0))
  t.strictSame([scene.sent, scene.channel.state], [['frames'], 'connected'])
})
