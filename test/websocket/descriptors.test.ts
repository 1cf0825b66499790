// No byte may reach a descriptor that is that of another socket now.
import t from 'tap'
import { NativeSender, isPlainTcp } from '../../lib/websocket/native-sender.js'
import { turn } from './sink.js'
import { batchedServer, compiledSendMany, notCompiled, Pairs, sendManyInScript } from './native.js'
import { Slice } from '../../lib/shared/slice.js'
import type { Socket } from 'node:net'
import type { SendMany } from '../../lib/websocket/native.js'
import type { Flusher } from '../../lib/websocket/sender.js'

/** A connection, the frames that it was sent, and the bytes that its client has received. */
class Peer {
  readonly sender: NativeSender
  readonly socket: Socket
  readonly fd: number
  readonly #name: string
  readonly #client: Socket
  readonly #received: Buffer[] = []
  readonly #closed: Promise<unknown>
  #sent = ''
  #count = 0

  constructor (name: string, socket: Socket, client: Socket, flusher: Flusher) {
    if (!isPlainTcp(socket)) throw new Error('it is no TCP socket')
    this.#name = name
    this.socket = socket
    this.#client = client
    this.sender = new NativeSender(socket, flusher)
    this.fd = this.sender.descriptor
    socket.on('drain', () => { this.sender.socketDrained() })
    client.on('data', (bytes: Buffer) => { this.#received.push(bytes) })
    this.#closed = new Promise((resolve) => { client.once('close', resolve) })
  }

  send (written?: () => void): void {
    const text = `<${this.#name} ${this.#count++}>`
    this.#sent += text
    this.sender.sendEncoded(new Slice(Buffer.from(text)), written)
  }

  /** @returns undefined, or the bytes that differ from those that were sent */
  async check (isWhole: boolean): Promise<string | undefined> {
    await this.#closed
    const got = Buffer.concat(this.#received).toString()
    const isRight = isWhole ? got === this.#sent : this.#sent.startsWith(got)
    this.#client.destroy()
    return isRight ? undefined : `${this.#name} got ${got.slice(0, 200)}`
  }
}

/** Random numbers that a seed repeats. */
function random (seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = state * 1664525 + 1013904223 >>> 0
    return Math.floor(state / 2 ** 32 * below)
  }
}

/**
 * Closes sockets between the moment in which their frames are queued and the flush, from outside
 * and in the callbacks of other frames, and opens new ones, which get their descriptors.
 */
async function churn (
  t: { teardown (task: () => void): void }, sendMany: SendMany, rounds: number
): Promise<{ wrong: string[], reused: number }> {
  const pick = random(20261129)
  const { flusher } = batchedServer(sendMany)
  const pairs = await Pairs.open(t)
  const checks: Array<Promise<string | undefined>> = []
  const seen = new Set<number>()
  let reused = 0
  let opened = 0
  const open = async (): Promise<Peer> => {
    const { socket, client } = await pairs.connect()
    const peer = new Peer(`peer ${opened++}`, socket, client, flusher)
    if (seen.has(peer.fd)) reused++
    seen.add(peer.fd)
    return peer
  }
  const peers: Peer[] = []
  while (peers.length < 8) peers.push(await open())
  const destroy = (peer: Peer): void => {
    if (peer.socket.destroyed) return
    peer.socket.destroy()
    checks.push(peer.check(false))
  }
  for (let round = 0; round < rounds; round++) {
    const victim = peers[pick(peers.length)]
    const other = peers[pick(peers.length)]
    for (const peer of peers) {
      peer.send()
      if (peer === other && pick(2) === 0) peer.send(() => { destroy(victim) })
    }
    if (pick(2) === 0) destroy(victim)
    // The flush may come before or after the new sockets have their descriptors.
    if (pick(4) === 0) await turn()
    for (const [i, { socket }] of peers.entries()) if (socket.destroyed) peers[i] = await open()
  }
  await turn()
  for (const peer of peers) {
    if (peer.socket.destroyed) continue
    peer.sender.whenFlushed(() => { peer.socket.end() })
    checks.push(peer.check(true))
  }
  const wrong = (await Promise.all(checks)).filter((problem) => problem !== undefined)
  return { wrong, reused }
}

t.test('sends each socket its own bytes only, while descriptors are reused', async (t) => {
  const { wrong, reused } = await churn(t, sendManyInScript, 500)
  t.strictSame(wrong, [])
  t.ok(reused > 100, `${reused} descriptors were reused`)
})

const compiled = await compiledSendMany()

t.test('the compiled sender does so, too', { skip: !compiled && notCompiled }, async (t) => {
  const { wrong, reused } = await churn(t, compiled!, Number(process.env.CHURN_ROUNDS ?? 3000))
  t.strictSame(wrong, [])
  t.ok(reused > 1000, `${reused} descriptors were reused`)
})

t.test('the compiled sender checks its arguments', { skip: !compiled && notCompiled }, async (t) => {
  const sendMany = compiled as (...args: unknown[]) => void
  const entries = Int32Array.of(1, 0, 1)
  const bytes = new Uint8Array(10)
  for (const args of [
    [], [entries], [entries, 1], [[], 1, bytes], [entries, -1, bytes], [entries, 2, bytes],
    [entries, 'x', bytes], [entries, 1, [1]], [new Uint32Array(3), 1, bytes],
    [entries, 1, new Uint16Array(3)], [new Float64Array(3), 1, bytes]
  ]) t.throws(() => { sendMany(...args) }, { code: 'ERR_INVALID_ARG_TYPE' })
  const outside = [
    [-1, 0, 1], [1, -1, 1], [1, 0, 0], [1, 0, -1], [1, 0, 11], [1, 10, 1], [1, 11, 0],
    [1, 2 ** 31 - 1, 2 ** 31 - 1], [1, 5, 6]
  ]
  const invalid = Int32Array.from(outside.flat())
  sendMany(invalid, outside.length, bytes)
  const results = outside.map((_, i) => invalid[i * 3 + 2])
  t.strictSame(new Set(results), new Set([-22]), 'EINVAL, and nothing is printed on 1')
  const noSocket = Int32Array.of(0x7fff_ffff, 0, 1)
  sendMany(noSocket, 1, bytes)
  t.equal(noSocket[2], -9, 'EBADF')
  const { buffer } = bytes
  structuredClone(buffer, { transfer: [buffer] })
  sendMany(entries, 1, bytes)
  t.equal(entries[2], -22, 'a detached buffer has no bytes')
})
