// The native sender over sockets that are not real, in a kernel that gives descriptors away again.
import { constants } from 'node:os'
import fc from 'fast-check'
import { NativeBatch } from '../../../lib/websocket/native-batch.js'
import { NativeSender } from '../../../lib/websocket/native-sender.js'
import { Flusher } from '../../../lib/websocket/sender.js'
import { ManualClock } from '../clock.js'
import { equal, suiteOf } from '../suite.js'
import { Slice } from '../../../lib/shared/slice.js'

/** The action of the callback of a frame. */
type Callback = 'nothing' | 'replace' | 'send'

type Step =
  | { readonly do: 'send', readonly peer: number, readonly size: number, readonly then: Callback }
  | { readonly do: 'broadcast', readonly size: number }
  | {
    readonly do: 'burst' | 'stall' | 'drain' | 'replace' | 'reset' | 'intercept', readonly peer: number
  }
  | { readonly do: 'turn' }
  | { readonly do: 'flood' }

interface History {
  readonly steps: readonly Step[]
  /** Bytes that the kernel takes of each entry, in turns; 0: `EAGAIN`. */
  readonly limits: readonly number[]
}

const peer = fc.nat(4)
const size = fc.constantFrom(4, 20, 3000, 60_000, 70_000)
const then = fc.constantFrom<Callback>('nothing', 'nothing', 'replace', 'send')
const histories: fc.Arbitrary<History> = fc.record({
  steps: fc.array(fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('send' as const), peer, size, then }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('broadcast' as const), size }) },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constantFrom('burst', 'stall', 'drain', 'replace', 'reset', 'intercept'), peer
      })
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('turn' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('flood' as const) }) }
  ), { maxLength: 30 }),
  limits: fc.array(fc.constantFrom(0, 1, 7, 5000, 100_000, 100_000), { minLength: 1, maxLength: 5 })
})

interface Write { readonly bytes: Buffer, readonly done: (() => void) | undefined }

/** A socket of Node, as far as a sender uses it. */
class FakeSocket {
  destroyed = false
  isStalled = false
  /** The client has reset the connection. The kernel reports it once. */
  isReset = false
  isReported = false
  /** Foreign code, called by the next write of the socket. */
  onWrite: (() => void) | undefined
  writableCorked = 0
  errored: Error | null = null
  _handle: { readonly fd: number } | null
  readonly fd: number
  readonly received: Buffer[] = []
  readonly #waiting: Write[] = []
  /** Node calls back for a write before the next iteration of the event loop. */
  readonly #done: Array<() => void> = []

  constructor (fd: number) {
    this.fd = fd
    this._handle = { fd }
  }

  get writableLength (): number {
    return this.#waiting.reduce((sum, { bytes }) => sum + bytes.length, 0)
  }

  get writable (): boolean { return !this.destroyed && this.errored === null }

  get writableNeedDrain (): boolean { return this.writableLength > 1000 }

  write (bytes: Buffer, done?: () => void): void {
    const { onWrite } = this
    this.onWrite = undefined
    onWrite?.()
    if (this.isReset) this.errored = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
    // A write after that has no effect.
    if (this.destroyed || this.errored !== null) return
    if (this.isStalled || this.#waiting.length > 0) this.#waiting.push({ bytes, done })
    else {
      this.received.push(bytes)
      if (done !== undefined) this.#done.push(done)
    }
  }

  cork (): void {}
  uncork (): void {}

  drain (): void {
    this.isStalled = false
    for (const { bytes, done } of this.#waiting.splice(0)) {
      this.received.push(bytes)
      if (done !== undefined) this.#done.push(done)
    }
    this.callBack()
  }

  callBack (): void {
    if (this.errored !== null) this.destroy()
    for (const done of this.#done.splice(0)) done()
  }

  destroy (error: Error | null = this.errored): void {
    this.errored = error
    this.destroyed = true
    this._handle = null
    this.#waiting.length = 0
  }
}

/** A client: what it was sent, and what it has received. */
class Peer {
  readonly socket: FakeSocket
  readonly sender: NativeSender
  readonly name: number
  sent = ''
  frames = 0
  /** Frames whose callbacks have run, of those that have one. */
  written = 0

  constructor (name: number, fd: number, flusher: Flusher) {
    this.name = name
    this.socket = new FakeSocket(fd)
    const socket: unknown = this.socket
    this.sender = new NativeSender(socket as ConstructorParameters<typeof NativeSender>[0], flusher)
  }

  get received (): string {
    return Buffer.concat(this.socket.received).toString('latin1')
  }

  /** Most frames have no callback. */
  post (frame: Slice): void {
    this.sent += frame.bytes.toString('latin1')
    this.sender.sendEncoded(frame)
  }

  send (frame: Slice, then?: () => void): void {
    this.sent += frame.bytes.toString('latin1')
    const end = this.sent.length
    const number = this.frames++
    this.sender.sendEncoded(frame, () => {
      equal(this.written++, number, `callbacks of ${this.name} in order`)
      equal(this.received.length >= end, true, 'the kernel has the frame of a callback')
      then?.()
    })
  }

  drain (): void {
    this.socket.drain()
    this.sender.socketDrained()
  }
}

class World {
  readonly #clock = new ManualClock()
  readonly #flusher = new Flusher(this.#clock)
  readonly #limits: readonly number[]
  readonly #peers: Peer[] = []
  readonly #closed: Peer[] = []
  #entries = 0
  #texts = 0

  constructor (limits: readonly number[]) {
    this.#limits = limits
    this.#flusher.batch = new NativeBatch((entries, count, bytes) => {
      for (let i = 0; i < count * 3; i += 3) entries[i + 2] = this.#sendEntry(entries, i, bytes)
    })
    for (let i = 0; i < 5; i++) this.#peers.push(this.#open())
  }

  /** The kernel gives the lowest free descriptor. */
  #open (): Peer {
    const used = new Set(this.#peers.map(({ socket }) => socket.destroyed ? -1 : socket.fd))
    let fd = 10
    while (used.has(fd)) fd++
    return new Peer(this.#texts++, fd, this.#flusher)
  }

  #sendEntry (entries: Int32Array, i: number, bytes: Uint8Array): number {
    const [fd, offset, length] = entries.subarray(i, i + 3)
    const found = this.#peers.find(({ socket }) => !socket.destroyed && socket.fd === fd)
    if (found === undefined) return -constants.errno.EBADF
    // The kernel may have room again before the stream of the socket knows it.
    const limit = this.#limits[this.#entries++ % this.#limits.length]
    if (limit === 0) return -constants.errno.EAGAIN
    const { socket } = found
    if (socket.isReset) {
      const { isReported } = socket
      socket.isReported = true
      return isReported ? -constants.errno.EPIPE : -constants.errno.ECONNRESET
    }
    const taken = Buffer.from(bytes.subarray(offset, offset + Math.min(length, limit)))
    socket.received.push(taken)
    return taken.length
  }

  #frame (size: number): Slice {
    return new Slice(Buffer.alloc(size, `<${this.#texts++}>`))
  }

  #replace (index: number): void {
    const [old] = this.#peers.splice(index, 1)
    old.socket.destroy()
    this.#closed.push(old)
    this.#peers.splice(index, 0, this.#open())
  }

  #callback (then: Callback, index: number): void {
    const next = (index + 1) % this.#peers.length
    if (then === 'replace') this.#replace(next)
    if (then === 'send') this.#peers[next].send(this.#frame(20))
  }

  step (step: Step): void {
    if (step.do === 'turn') return this.#turn()
    if (step.do === 'flood') {
      // Together they exceed the bytes of one native call.
      for (const one of this.#peers) one.post(this.#frame(60_000))
      return
    }
    if (step.do === 'broadcast') {
      const frame = this.#frame(step.size)
      for (const one of this.#peers) one.post(frame)
      return
    }
    const { sender, socket } = this.#peers[step.peer]
    if (step.do === 'send') {
      const { peer: index, then } = step
      this.#peers[index].send(this.#frame(step.size), () => { this.#callback(then, index) })
    } else if (step.do === 'burst') sender.allowsBurst(sender.bufferedBytes)
    else if (step.do === 'stall') socket.isStalled = true
    else if (step.do === 'drain') this.#peers[step.peer].drain()
    else if (step.do === 'reset') socket.isReset = true
    else if (step.do === 'intercept') {
      socket.onWrite = () => { this.#replace((step.peer + 1) % this.#peers.length) }
    } else this.#replace(step.peer)
  }

  #turn (): void {
    this.#clock.yieldOnce()
    for (const { socket } of [...this.#peers]) socket.callBack()
    for (const [i, { socket }] of this.#peers.entries()) if (socket.destroyed) this.#replace(i)
    if (this.#clock.laterTasks.length > 0) return
    for (const { name, sender, socket } of this.#peers) {
      const isIdle = sender.bufferedBytes === socket.writableLength
      equal(isIdle || socket.writableNeedDrain, true, `frames of ${name} wait for a turn`)
    }
  }

  check (): void {
    for (let i = 0; i < 5 || this.#clock.laterTasks.length > 0; i++) {
      this.#turn()
      for (const one of [...this.#peers]) one.drain()
    }
    for (const one of this.#peers.filter(({ socket }) => !socket.isReset)) {
      equal(one.received === one.sent, true, `all bytes of ${one.name}`)
      equal(one.written, one.frames, `callbacks of ${one.name}`)
      equal(one.sender.bufferedBytes, 0, `bytes that wait for ${one.name}`)
    }
    for (const one of this.#closed) {
      const { errored, isReported } = one.socket
      equal(one.sent.startsWith(one.received), true, `no other bytes than those of ${one.name}`)
      const code = (errored as { code?: string } | null)?.code
      if (isReported) equal(code, 'ECONNRESET', `the error of ${one.name}`)
    }
  }
}

/** Each client gets its own bytes, in order, and callbacks run when the kernel has them. */
export const batches = suiteOf('batches', histories, async ({ steps, limits }) => {
  const world = new World(limits)
  for (const step of steps) world.step(step)
  world.check()
})
