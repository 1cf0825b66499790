// The client of the package. With several servers, it connects to another one when its own is lost.
import { connect } from './client.js'
import { isServerLost } from './codes.js'

/** The available servers, and the one that all connections use. The first one serves the page. */
export const servers = { all: [window.location.href], current: window.location.href }

export const sameServer = (a, b) => new URL(a).origin === new URL(b).origin

export const randomKey = () => Array.from(window.crypto.getRandomValues(new Uint8Array(8)),
  (byte) => byte.toString(16).padStart(2, '0')).join('')

/** Names this page to the server, which then knows whose network a button breaks. */
export const page = randomKey()

function giveUp (server) {
  const { all, current } = servers
  if (sameServer(current, server)) {
    const index = all.findIndex((one) => sameServer(one, server))
    servers.current = all[(index + 1) % all.length]
  }
}

export class Connection {
  /** The URL of the present or last try. */
  server
  #socket

  /** @param query an object, or a function that returns one for each try */
  constructor (path, query = {}) {
    const url = () => {
      this.server = servers.current
      const present = typeof query === 'function' ? query() : query
      return new URL(`${path}?${new URLSearchParams({ ...present, page })}`, this.server).href
    }
    this.#socket = connect(url)
    // A browser cannot tell a server that is gone from one that is not ready yet. So the first try
    // after a loss is at another server, and a new server has three tries: `handshake`.
    let wasOpen = false
    this.on('state', ({ state, code, why }) => {
      if (state === 'away' && isServerLost(code) && (wasOpen || why === 'handshake')) {
        giveUp(this.server)
      }
      if (state !== 'connecting') wasOpen = state === 'open'
    })
  }

  /** The events of the client: `state`, `reset`, `invalid`, and the topics of the server. */
  on (event, listener) { return this.#socket.on(event, listener) }

  /** @returns false when it was not sent. While the client is away, it is sent later */
  send (topic, data = null) { return this.#socket.send(topic, data) }

  get state () { return this.#socket.state }

  /** Closes for good. */
  close () { this.#socket.close() }
}

/** The browser tells a page so when the network is back. Each client then tries at once. */
export const tryNow = () => window.dispatchEvent(new Event('online'))
