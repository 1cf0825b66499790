// A server that goes away and says so before, with real sockets: the frames of the server are a
// script, and the client decides.
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import WebSocket, { WebSocketServer } from 'ws'
import { createClient } from '../../lib/client/client.js'
import { patient } from './fixtures/patient.js'
import type { ClientProtocol, ClientSocket, StateEvent } from '../../types/client.js'

const min = 5

/** One socket of the server. */
class Line {
  /** The subprotocols of the offer. */
  readonly offer: string[]
  readonly frames: string[] = []
  readonly #socket: WebSocket
  #wake = (): void => {}

  constructor (socket: WebSocket, { headers }: IncomingMessage) {
    this.#socket = socket
    this.offer = headers['sec-websocket-protocol']!.split(/, ?/)
    socket.on('message', (data) => {
      this.frames.push(String(data))
      this.#wake()
    })
  }

  /** Resolves with the code when the client has closed it. */
  readonly closed = async (): Promise<number> => {
    const [code] = await once(this.#socket, 'close') as [number]
    return code
  }

  hello (more: object = {}): void {
    const hello = { v: 1, token: 'n.i.1.t', window: 60_000, from: 1, received: 0, resumed: false }
    this.send(`\0h${JSON.stringify({ ...hello, protocol: '', ...more })}`)
  }

  send (text: string): void {
    this.#socket.send(text)
  }

  advise (advice: object): void {
    this.send(`\0r${JSON.stringify(advice)}`)
  }

  /** Resolves when this frame has come. */
  async hears (frame: string): Promise<void> {
    while (!this.frames.includes(frame)) {
      await new Promise<void>((resolve) => { this.#wake = resolve })
    }
  }

  end (code: number, reason: string): void {
    this.#socket.close(code, reason)
  }
}

interface Scene {
  readonly client: ClientSocket
  readonly states: StateEvent[]
  readonly messages: unknown[]
  /** This many further handshakes are answered with 503. */
  refuse (count: number): void
  /** Resolves when so many were. */
  refused (count: number): Promise<void>
  /** Resolves with the next socket. */
  next (): Promise<Line>
}

async function scene (t: Test): Promise<Scene> {
  const server = createServer()
  const sockets = new WebSocketServer({ noServer: true })
  const lines: Line[] = []
  let wake = (): void => {}
  const until = async (isTrue: () => boolean): Promise<void> => {
    while (!isTrue()) await new Promise<void>((resolve) => { wake = resolve })
  }
  let toRefuse = 0
  let refused = 0
  server.on('upgrade', (request: IncomingMessage, socket, head) => {
    if (refused < toRefuse) {
      refused++
      wake()
      socket.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\r\n')
      return
    }
    sockets.handleUpgrade(request, socket, head, (each) => {
      lines.push(new Line(each, request))
      wake()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = createClient<ClientProtocol>(patient, `ws://127.0.0.1:${port}/`, {
    WebSocket, backoff: { min, max: 20 }
  })
  t.teardown(() => {
    client.close()
    for (const each of sockets.clients) each.terminate()
    server.close()
  })
  const states: StateEvent[] = []
  const messages: unknown[] = []
  client.on('state', (state) => { states.push(state) })
  client.on('message', (message) => { messages.push(message) })
  return {
    client,
    states,
    messages,
    refuse (count) { toRefuse = refused + count },
    async refused (count) {
      await until(() => refused >= count)
    },
    async next () {
      await until(() => lines.length > 0)
      return lines.shift()!
    }
  }
}

/** Resolves with the next event `state` with that state. */
async function reach ({ client }: Scene, state: string): Promise<StateEvent> {
  return await new Promise((resolve) => {
    const remove = client.on('state', (event) => {
      if (event.state !== state) return
      remove()
      resolve(event)
    })
  })
}

t.test('uses the old socket over failed tries, and moves when one succeeds', async (t) => {
  const it = await scene(t)
  const old = await it.next()
  old.hello()
  await old.hears('\0a0')
  it.client.send('before')
  it.refuse(3)
  const refused = it.refused(3)
  old.send('a')
  old.advise({ after: 0, by: 60_000 })
  await old.hears('\0a1')
  await old.hears('\0p')
  old.send('\0a1')
  await refused
  const line = await it.next()
  it.client.send('during')
  await old.hears('during')
  old.send('b')
  t.strictSame(line.offer, ['v1.ws-relay', 'resume.ws-relay.n.i.1.t.1'])
  const closed = old.closed()
  const opened = reach(it, 'open')
  line.hello({ token: 'n.i.1.u', from: 2, received: 1, resumed: true })
  line.send('b')
  line.send('c')
  t.match(await opened, { resumed: true, attempt: 0 })
  t.equal(await closed, 1005, 'the old socket is closed by the client')
  const delivered = it.client.delivered()
  await line.hears('during')
  line.send('\0a2')
  await delivered
  t.strictSame(it.messages, ['a', 'b', 'c'])
  t.strictSame(it.states.map(({ state }) => state), ['connecting', 'open', 'open'])
})

t.test('begins the backoff when the server closes the old socket', async (t) => {
  const it = await scene(t)
  const old = await it.next()
  old.hello()
  await old.hears('\0a0')
  it.refuse(Infinity)
  old.advise({ after: 0, by: 60_000 })
  await it.refused(3)
  const away = reach(it, 'away')
  const opened = reach(it, 'open')
  old.end(1001, 'server shutting down')
  const { attempt, wait, why } = await away
  it.refuse(0)
  t.match({ attempt, why }, { attempt: 1, why: undefined })
  t.ok(wait! >= min && wait! <= 2 * min, 'the shortest delay')
  const line = await it.next()
  line.hello({ why: 'node' })
  t.match(await opened, { resumed: false, why: 'node' })
})

t.test('leaves the old socket when the server does not close it at `by`', async (t) => {
  const it = await scene(t)
  const old = await it.next()
  old.hello()
  await old.hears('\0a0')
  const lost = reach(it, 'connecting')
  old.advise({ after: 0, by: 30 })
  const line = await it.next()
  await lost
  const closed = old.closed()
  old.send('too late')
  line.hello({ resumed: true })
  line.send('kept')
  await closed
  t.strictSame(it.messages, ['kept'])
})
