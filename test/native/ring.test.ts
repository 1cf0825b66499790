// Sending by io_uring: the results are those of one system call for each socket.
import { once } from 'node:events'
import { closeSync, readdirSync, readlinkSync } from 'node:fs'
import { constants } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { root } from '../program.js'
import { Pairs, sendManyByRing } from '../websocket/native.js'
import type { Socket } from 'node:net'

const { errno: { EAGAIN, EBADF, EINVAL } } = constants
const sendMany = await sendManyByRing()
const skip = typeof sendMany === 'string' && sendMany

interface Pair { readonly socket: Socket, readonly client: Socket }

function descriptorOf (socket: Socket): number {
  return (socket as unknown as { _handle: { fd: number } })._handle.fd
}

/** Sends one text for each entry. @returns the results */
function send (entries: ReadonlyArray<readonly [fd: number, text: string]>): number[] {
  const numbers: number[] = []
  let bytes = ''
  for (const [fd, text] of entries) {
    numbers.push(fd, bytes.length, text.length)
    bytes += text
  }
  const array = Int32Array.from(numbers)
  if (typeof sendMany === 'function') sendMany(array, entries.length, Buffer.from(bytes))
  return entries.map((_, i) => array[3 * i + 2])
}

async function receive ({ client }: Pair, length: number): Promise<string> {
  let text = ''
  while (text.length < length) {
    const bytes = client.read() as Buffer | null
    if (bytes === null) await once(client, 'readable')
    else text += bytes.toString()
  }
  return text
}

/** The descriptors of the rings of this process. */
function openRings (): number[] {
  return readdirSync('/proc/self/fd').map(Number).filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes('io_uring')
    } catch {
      return false // The descriptor of this listing is closed again.
    }
  })
}

t.test('sends on more sockets than the queue of the kernel has room for', { skip }, async (t) => {
  const open = await Pairs.open(t)
  const pairs: Pair[] = []
  // The queue has 256 requests.
  for (let i = 0; i < 300; i++) pairs.push(await open.connect())
  for (const round of [1, 2, 3]) {
    const texts = pairs.map((_, i) => `<${round} for ${i}>`)
    const results = send(pairs.map(({ socket }, i) => [descriptorOf(socket), texts[i]]))
    t.same(results, texts.map(({ length }) => length))
    for (const [i, pair] of pairs.entries()) {
      const got = await receive(pair, texts[i].length)
      if (got !== texts[i]) t.fail(`${i} got ${got}`)
    }
  }
  for (const { socket, client } of pairs) {
    socket.destroy()
    client.destroy()
  }
})

t.test('does not wait for a full socket, and reports each error', { skip }, async (t) => {
  const open = await Pairs.open(t)
  const pairs: Pair[] = []
  for (let i = 0; i < 6; i++) pairs.push(await open.connect())
  const fds = pairs.map(({ socket }) => descriptorOf(socket))
  const much = 'x'.repeat(1 << 20)
  let taken = 0
  for (;;) {
    const [result, ...others] = send([[fds[0], much], ...fds.slice(1).map((fd) => [fd, 'a'] as const)])
    t.same(others, [1, 1, 1, 1, 1])
    if (result < 0) {
      t.equal(result, -EAGAIN)
      break
    }
    taken += result
  }
  t.ok(taken > 0)
  // No descriptor is that large.
  const results = send([
    [fds[1], 'b'], [1 << 30, 'b'], [fds[2], 'b'], [-1, 'b'], [fds[3], 'b'], [fds[4], 'b'],
    [fds[5], 'b'], [fds[1], 'c'], [fds[2], 'c'], [fds[3], 'c']
  ])
  t.same(results, [1, -EBADF, 1, -EINVAL, 1, 1, 1, 1, 1, 1])
  for (const [i, end] of [[1, 'bc'], [2, 'bc'], [3, 'bc'], [4, 'b'], [5, 'b']] as const) {
    pairs[i].socket.end()
    let text = ''
    for await (const bytes of pairs[i].client) text += String(bytes)
    t.match(text, new RegExp(`^a+${end}$`))
  }
  for (const { socket, client } of pairs) {
    socket.destroy()
    client.destroy()
  }
})

t.test('a thread closes its ring when it ends', { skip }, async (t) => {
  const before = openRings().length
  for (let i = 0; i < 3; i++) {
    const worker = new Worker(`
      const { parentPort } = require('node:worker_threads')
      import(${JSON.stringify(join(root, 'native/binary.js'))}).then(({ loadBinary }) => {
        parentPort.postMessage(loadBinary().openRing())
        parentPort.once('message', () => {})
      })
    `, { eval: true })
    const [errno] = await once(worker, 'message') as [number]
    t.equal(errno, 0)
    t.equal(openRings().length, before + 1)
    worker.postMessage('end')
    await once(worker, 'exit')
    t.equal(openRings().length, before)
  }
})

// The last one: from then on there is no ring.
t.test('makes a system call for each socket when the ring fails', { skip }, async (t) => {
  const open = await Pairs.open(t)
  const pairs: Pair[] = []
  for (let i = 0; i < 5; i++) pairs.push(await open.connect())
  const [ring] = openRings()
  closeSync(ring)
  for (const text of ['a', 'b']) {
    t.same(send(pairs.map(({ socket }) => [descriptorOf(socket), text])), [1, 1, 1, 1, 1])
  }
  for (const pair of pairs) {
    t.equal(await receive(pair, 2), 'ab')
    pair.socket.destroy()
    pair.client.destroy()
  }
})
