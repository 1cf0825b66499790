// `fastify-ws-relay/client`. The build joins the files of this folder into one without imports.
import type { ClientProtocol, ClientSocket, ConnectOptions } from '../../types/client.js'
import { createClient } from './client.js'
import type { Environment } from './environment.js'

export type * from '../../types/client.js'

/**
 * Connects, and connects again after each loss. If the server's route allows resume, both sides get
 * every message once and in order over all sockets of the session. Otherwise, and with any other
 * server, it is a WebSocket that reconnects.
 *
 * @typeParam P the protocol: the topics with the types of their data. See {@link ClientProtocol}
 * @param url a URL with `ws:`, `wss:`, `http:` or `https:`; in a page also a path; or a function
 *   that returns one or a promise of one, called before each try, for example for a fresh ticket
 * @throws TypeError for a URL that is none; `INVALID_OPTIONS`
 * @example
 * ```ts
 * const socket = connect('/rooms/7')
 * socket.on('message', (data) => { console.log(data) })
 * socket.send('hello')
 * ```
 */
export function connect<P = ClientProtocol> (
  url: string | (() => string | Promise<string>),
  options: ConnectOptions = {}
): ClientSocket<P> {
  return createClient<P>(globalThis as Environment, url, options)
}
