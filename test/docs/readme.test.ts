// The examples of the README, run as they stand there.
import t from 'tap'
import { on, once } from 'node:events'
import WebSocket from 'ws'
import { build, listen } from '../helpers.js'
import { until } from '../laps.js'
import { run, snippet } from './snippets.js'
import { page } from './tables.js'
import type { AddressInfo, Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { connect as Connect } from '../../lib/client/index.js'

const readme = 'README.md'

/** A client that keeps its messages until they are asked for. */
class Client {
  readonly #socket: WebSocket
  readonly #messages: AsyncIterator<unknown[]>

  private constructor (socket: WebSocket) {
    this.#socket = socket
    const messages: AsyncIterable<unknown[]> = on(socket, 'message')
    this.#messages = messages[Symbol.asyncIterator]()
  }

  static async connect (t: Test, url: string): Promise<Client> {
    const socket = new WebSocket(url)
    t.teardown(() => { socket.terminate() })
    const client = new Client(socket)
    await once(socket, 'open')
    return client
  }

  send (text: string): void { this.#socket.send(text) }

  async text (): Promise<string> {
    const { value } = await this.#messages.next() as IteratorResult<unknown[], undefined>
    return String(value![0])
  }

  async close (): Promise<void> {
    const closed = once(this.#socket, 'close')
    this.#socket.close()
    await closed
  }
}

t.test('first example: runs as it stands, and is the same as examples/quickstart.ts', async (t) => {
  const code = await snippet(readme, 'First example')
  const plain = (text: string): string => text.replace(/\s+/g, ' ')
  const middle = (text: string): string =>
    plain(text).split('await app.register(')[1].split(/ (?:return app|await app\.listen) ?/)[0]
  t.equal(middle(code), middle(await page('examples/quickstart.ts')))

  const quiet = code.replace('logger: true', '').replace('port: 3000', 'port: 0')
  const { app } = await run<{ app: FastifyInstance }>(t, `${quiet}\nexport { app }`)
  t.teardown(() => app.close())
  const sockets: Socket[] = []
  app.server.on('connection', (socket: Socket) => { sockets.push(socket) })
  const { port } = app.server.address() as AddressInfo
  const ada = await Client.connect(t, `ws://127.0.0.1:${port}/ws?user_id=ada`)
  const grace = await Client.connect(t, `ws://127.0.0.1:${port}/ws?user_id=grace`)
  ada.send('hello')
  t.strictSame([await ada.text(), await grace.text()], ['hello', 'hello'])
  await app.inject({ method: 'POST', url: '/notify', payload: { text: 'tea is ready' } })
  t.strictSame([await ada.text(), await grace.text()], ['tea is ready', 'tea is ready'])

  // The client that the example serves, as a page imports it.
  const served = await app.inject('/client.js')
  t.match(served.headers['content-type'], 'text/javascript')
  const url = `data:text/javascript;base64,${Buffer.from(served.body).toString('base64')}`
  const { connect } = await import(url) as { connect: typeof Connect }
  const states: object[] = []
  const client = connect(`ws://127.0.0.1:${port}/ws?user_id=eve`, { WebSocket })
  client.on('state', (state) => { states.push(state) })
  const received: unknown[] = []
  client.on('message', (data) => { received.push(data) })
  client.send('hello from the client')
  await client.delivered()
  for (const reader of [ada, grace]) t.equal(await reader.text(), 'hello from the client')
  await until(() => received.length === 1)
  for (const socket of sockets.splice(0)) socket.destroy()
  client.send('hello again')
  await until(() => received.length === 2)
  t.strictSame(received, ['hello from the client', 'hello again'])
  t.match(states.at(-1), { state: 'open', resumed: true })
  client.close()
})

t.test(
  'rooms: visitors of one room read each other, also after a crash of it',
  async (t) => {
    const app = await build(t)
    await run(t, await snippet(readme, 'Rooms'), { app })
    const url = `ws://127.0.0.1:${await listen(app)}/rooms`
    const ada = await Client.connect(t, `${url}/tea`)
    const grace = await Client.connect(t, `${url}/tea`)
    const other = await Client.connect(t, `${url}/coffee`)
    const say = (data: unknown) => JSON.stringify({ topic: 'say', data })
    const said = (data: string) => JSON.stringify({ topic: 'said', data })
    ada.send('not in the protocol')
    ada.send(say(7))
    ada.send(say('hello'))
    t.strictSame([await ada.text(), await grace.text()], [said('hello'), said('hello')])
    other.send(say('alone'))
    t.equal(await other.text(), said('alone'))
    app.processes.exit('@room/tea', 'boom')
    ada.send(say('still here'))
    const both = [said('still here'), said('still here')]
    t.strictSame([await ada.text(), await grace.text()], both)
    await ada.close()
    await grace.close()
    t.match(app.processes.stats().keyed, { room: { alive: 2, started: 3, crashed: 1 } })
    t.equal((await app.inject('/rooms/NO')).statusCode, 400)
  }
)

t.test('hand-over: the bot passes its client on, and keeps it when there is nobody', async (t) => {
  const app = await build(t)
  await run(t, await snippet(readme, 'Hand-over'), { app })
  const url = `ws://127.0.0.1:${await listen(app)}/help`
  const ada = await Client.connect(t, url)
  t.match(await ada.text(), 'I am a bot')
  ada.send('tea')
  t.equal(await ada.text(), 'Pardon?')
  ada.send('human')
  t.match(await ada.text(), 'this is a human')
  ada.send('tea')
  t.equal(await ada.text(), 'You said tea')

  app.processes.cancel('human')
  await app.processes.exited('human')
  const grace = await Client.connect(t, url)
  t.match(await grace.text(), 'I am a bot')
  grace.send('human')
  t.equal(await grace.text(), 'Nobody is here.')
})
