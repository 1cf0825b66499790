// The client over real sockets, through a proxy that cuts them at any byte.
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { connect as dial, createServer, type AddressInfo, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import WebSocket, { WebSocketServer } from 'ws'
import { connect } from '../../lib/client/index.js'
import { ReferenceServer } from './fixtures/reference.js'

/** A number from 0 on, below the limit; the same series for the same seed. */
function series (seed: number): (limit: number) => number {
  let state = seed
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return Math.floor(state / 2 ** 32 * limit)
  }
}

async function referenceServer (t: Test): Promise<{ server: ReferenceServer, port: number }> {
  const server = new ReferenceServer()
  const sockets = new WebSocketServer({
    port: 0,
    host: '127.0.0.1',
    // A plain session would have no guarantees.
    verifyClient: ({ req }: { req: IncomingMessage }) => 'sec-websocket-protocol' in req.headers
  })
  t.teardown(() => {
    for (const each of sockets.clients) each.terminate()
    sockets.close()
  })
  sockets.on('connection', (socket, { headers }) => {
    const offer = headers['sec-websocket-protocol']!.split(',').map((each) => each.trim())
    const { receive, lost } = server.accept(offer, {
      send: (data) => { socket.send(data) },
      close: (code, reason) => { socket.close(code, reason) },
      cut: () => { socket.terminate() }
    })
    socket.on('message', (data, isBinary) => {
      receive(isBinary ? new Uint8Array(data as Buffer) : String(data))
    })
    socket.on('error', () => {})
    socket.on('close', lost)
  })
  await once(sockets, 'listening')
  return { server, port: (sockets.address() as AddressInfo).port }
}

/** Passes on as many bytes in each direction as `budget` returns, then cuts both sockets. */
async function cutter (t: Test, port: number, budget: () => number): Promise<number> {
  const proxy = createServer((near) => {
    const far = dial(port, '127.0.0.1')
    const cut = (): void => {
      near.resetAndDestroy()
      far.resetAndDestroy()
    }
    const pass = (from: Socket, to: Socket): void => {
      let left = budget()
      from.on('data', (chunk) => {
        to.write(chunk.subarray(0, left))
        left -= chunk.length
        // In the next lap, so that the bytes before the cut are sent.
        if (left <= 0) setImmediate(cut)
      })
      from.on('error', () => {}).on('close', () => { to.destroy() })
    }
    pass(near, far)
    pass(far, near)
  })
  t.teardown(() => { proxy.close() })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return (proxy.address() as AddressInfo).port
}

for (let seed = 1; seed <= 5; seed++) {
  t.test(`answers every call once through cuts, seed ${seed}`, async (t) => {
    const random = series(100 + seed)
    const { server, port } = await referenceServer(t)
    let cuts = 0
    const budget = (): number => cuts++ < 40 ? 150 + random(900) : Infinity
    const url = `ws://127.0.0.1:${await cutter(t, port, budget)}/`
    const socket = connect(url, { WebSocket, backoff: { min: 1, max: 5 } })
    t.teardown(() => { socket.close() })
    socket.on('reset', ({ why }) => { t.fail(`the session was given up: ${why}`) })
    socket.on('message', (data) => { t.fail(`no call and no answer: ${String(data)}`) })
    const asked: unknown[] = []
    const answers: Array<[re: number, data: unknown]> = []
    let isComplete = (): void => {}
    const complete = new Promise<void>((resolve) => { isComplete = resolve })
    // The answer of the application on the server, and the answers to its own calls.
    server.onMessage = (data) => {
      const { topic, data: n, id, re } = JSON.parse(String(data)) as Record<string, unknown>
      if (topic === undefined) answers.push([re as number, n])
      else {
        asked.push(n)
        server.send(JSON.stringify({ re: id, data: `answer ${String(n)}` }))
        server.send(JSON.stringify({ topic: 'confirm', data: n, id: n }))
      }
      if (answers.length === count) isComplete()
    }
    const count = 60
    const numbers = Array.from({ length: count }, (_, n) => n)
    socket.handle('confirm', async (n) => {
      await new Promise((resolve) => { setImmediate(resolve) })
      return `yes ${String(n)}`
    })
    const calls: Array<Promise<unknown>> = []
    for (const n of numbers) {
      calls.push(socket.call('ask', n, { timeout: 2 ** 31 - 1 }))
      if (random(4) === 0) await new Promise((resolve) => { setImmediate(resolve) })
    }
    t.strictSame(await Promise.all(calls), numbers.map((n) => `answer ${n}`))
    await complete
    t.strictSame(asked, numbers, 'the server had each call once and in order')
    t.strictSame(answers.sort(([a], [b]) => a - b), numbers.map((n) => [n, `yes ${n}`]))
    t.ok(cuts > 10, `${cuts / 2} sockets`)
  })
}

for (let seed = 1; seed <= 12; seed++) {
  t.test(`has every message once and in order through cuts, seed ${seed}`, async (t) => {
    const random = series(seed)
    const { server, port } = await referenceServer(t)
    let cuts = 0
    // A handshake takes some 300 bytes each way. From the eleventh socket on nothing is cut.
    const budget = (): number => cuts++ < 20 ? 150 + random(900) : Infinity
    const url = `ws://127.0.0.1:${await cutter(t, port, budget)}/`
    const socket = connect(url, { WebSocket, backoff: { min: 1, max: 5 } })
    t.teardown(() => { socket.close() })
    const received: unknown[] = []
    let isComplete = (): void => {}
    const complete = new Promise<void>((resolve) => { isComplete = resolve })
    const count = 60
    socket.on('message', (data) => {
      received.push(data instanceof ArrayBuffer ? new Uint8Array(data)[0] : data)
      if (received.length === count) isComplete()
    })
    socket.on('reset', ({ why }) => { t.fail(`the session was given up: ${why}`) })
    await new Promise<void>((resolve) => {
      const remove = socket.on('state', ({ state }) => {
        if (state !== 'open') return
        remove()
        resolve()
      })
    })
    const up: unknown[] = []
    const down: unknown[] = []
    for (let i = 0; i < count; i++) {
      const text = `${['', '\0', '\0a'][random(3)]}${i}${'.'.repeat(random(60))}`
      server.send(i % 7 === 0 ? Uint8Array.of(i) : text)
      down.push(i % 7 === 0 ? i : text)
      t.ok(socket.send(text))
      up.push(text)
      if (random(4) === 0) await new Promise((resolve) => { setImmediate(resolve) })
    }
    await complete
    await socket.delivered()
    t.strictSame(received, down)
    const { inbox } = server.last!
    t.strictSame(inbox, up)
    t.ok(cuts > 2, `${cuts / 2} sockets`)
  })
}
