// Helpers for tests of the dashboard: an application with one, and the page's side of its socket.
import { once } from 'node:events'
import WebSocket from 'ws'
import { dashboard } from '../../lib/dashboard/index.js'
import { build, listen } from '../helpers.js'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Test } from 'tap'
import type {
  Acted, AnswerTo, ClientRequest, DashboardOptions, Hello, Problem, View, WatchRequest
} from '../../lib/dashboard/index.js'
import type { WsRelayOptions } from '../../types/relay.js'

/** A hook that lets everybody in. */
export async function allowAll (_request: FastifyRequest): Promise<void> {}

/** An application with a dashboard at `/processes`. */
export async function buildDashboard (
  t: Test, options: DashboardOptions = {}, relay: WsRelayOptions = {}, fastify = {}
): Promise<FastifyInstance> {
  const app = await build(t, relay, fastify)
  await app.register(dashboard, { prefix: '/processes', onRequest: allowAll, ...options })
  return app
}

type ServerMessage =
  | { topic: 'hello', data: Hello }
  | { topic: 'problem', data: Problem }
  | { topic: 'acted', data: Acted }
  | { topic: 'answer', data: AnswerTo<View> }

/** The page's side of a socket. */
export class Page {
  readonly socket: WebSocket
  /** All messages, as they came. */
  readonly texts: string[] = []
  readonly #unread: ServerMessage[] = []
  #wake = (): void => {}

  constructor (socket: WebSocket) {
    this.socket = socket
    socket.on('message', (data: Buffer) => {
      const text = data.toString()
      this.texts.push(text)
      this.#unread.push(JSON.parse(text))
      this.#wake()
    })
  }

  ask (request: ClientRequest | object): void {
    this.socket.send(JSON.stringify(request))
  }

  /** The next message of a topic that has not been read; those of other topics stay. */
  async next<K extends ServerMessage['topic']> (
    topic: K, id?: string | number
  ): Promise<Extract<ServerMessage, { topic: K }>['data']> {
    while (true) {
      const i = this.#unread.findIndex((message) => {
        return message.topic === topic &&
          (id === undefined || (message.data as { id?: unknown }).id === id)
      })
      if (i !== -1) return this.#unread.splice(i, 1)[0].data as never
      await new Promise<void>((resolve) => { this.#wake = resolve })
    }
  }

  /** The first answer to a request for a view. */
  async watch<V extends View> (request: WatchRequest & { view: V }): Promise<AnswerTo<V>> {
    this.ask(request)
    return await this.next('answer', request.id ?? request.view) as AnswerTo<V>
  }

  async close (): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return
    const closed = once(this.socket, 'close')
    this.socket.close()
    await closed
  }
}

/** Opens the socket of a dashboard at `/processes`. Closed with the test. */
export async function openPage (
  t: Test, port: number, options: WebSocket.ClientOptions = {}
): Promise<Page> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/processes/socket`, options)
  t.teardown(() => { socket.terminate() })
  const page = new Page(socket)
  await once(socket, 'open')
  return page
}

/** An application that listens, and a page on it. */
export async function buildPage (
  t: Test, options: DashboardOptions = {}, relay: WsRelayOptions = {}, fastify = {}
): Promise<{ app: FastifyInstance, port: number, page: Page }> {
  const app = await buildDashboard(t, options, relay, fastify)
  const port = await listen(app)
  return { app, port, page: await openPage(t, port) }
}
