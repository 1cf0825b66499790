// Routes of @fastify/websocket beside relayed ones.
import { once } from 'node:events'
import { open, record } from '../helpers.js'
import type { FastifyInstance } from 'fastify'
import type WebSocket from 'ws'
import type { Test } from 'tap'

type InjectWS = (path?: string, context?: object) => Promise<WebSocket>

export function injectWS (app: FastifyInstance): InjectWS {
  return (app as unknown as { injectWS: InjectWS }).injectWS
}

/** Sends `hello`. @returns the first message that comes back */
export async function greet (t: Test, url: string): Promise<string> {
  const client = await open(t, url)
  client.send('hello')
  const [data] = await once(client, 'message')
  client.close()
  await once(client, 'close')
  return String(data)
}

/** A relayed route, a route of @fastify/websocket, and one that is both. */
export function routes (app: FastifyInstance, prefix = ''): void {
  const target = record(app)
  app.get(`${prefix}/relayed`, async (_, reply) => { reply.relay(target.pid) })
  app.get(`${prefix}/native`, { websocket: true } as object, ((socket: WebSocket) => {
    socket.on('message', (data) => { socket.send(`native ${String(data)}`) })
  }) as never)
  app.route({
    method: 'GET',
    url: `${prefix}/both`,
    handler: async () => 'plain',
    wsHandler: (socket: WebSocket) => {
      socket.on('message', (data) => {
        socket.send(`both ${String(data)}`)
      })
    }
  } as never)
}
