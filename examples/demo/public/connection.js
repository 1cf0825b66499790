// The client of the package, with the events of this page. It tries again after 1 s, 2 s, 4 s …
// 15 s. With several servers, it connects to another one when its own is lost.
import { connect } from './client.js'
import { isServerLost, isWorthAnotherTry } from './codes.js'

/** The available servers, and the one that all connections use. The first one serves the page. */
export const servers = { all: [window.location.href], current: window.location.href }

export const sameServer = (a, b) => new URL(a).origin === new URL(b).origin

function giveUp (server) {
  const { all, current } = servers
  if (sameServer(current, server)) {
    const index = all.findIndex((one) => sameServer(one, server))
    servers.current = all[(index + 1) % all.length]
  }
}

const longestDelay = 15_000

/**
 * Events: `state` ({ state: 'connecting' | 'connected' | 'waiting' | 'closed', code, reason,
 * seconds }), and one event for each topic, with the `data` of `{"topic": …, "data": …}` as its
 * detail.
 */
export class Connection extends EventTarget {
  /** The URL of the current or last connection. */
  server
  #socket
  #timer

  constructor (path) {
    super()
    const url = () => {
      this.server = servers.current
      return new URL(path, this.server).href
    }
    this.#socket = connect(url, {
      negotiate: false, // these routes do not allow resume
      timeout: 35_000, // a new cluster waits before it gives names away: `upgradeTimeout` is 30 s
      reconnect: this.#delay
    })
    this.#socket.on('state', this.#show)
    this.#socket.on('message', (message) => {
      const { topic, data: detail } = JSON.parse(message)
      this.dispatchEvent(new CustomEvent(topic, { detail }))
    })
  }

  /** @returns whether it was sent: while there is no connection, the text stays in its input */
  send (message) {
    return this.#socket.state === 'open' && this.#socket.send(JSON.stringify(message))
  }

  /** Reconnects now instead of waiting, and with it all other connections that wait. */
  retry = () => { window.dispatchEvent(new Event('online')) }

  /** Closes without reconnecting. */
  close () {
    this.#socket.close()
  }

  /** @returns the milliseconds until the next try; false: there is none */
  #delay = ({ code, reason }, attempt) => {
    this.#say('closed', { code, reason })
    if (isServerLost(code)) giveUp(this.server)
    if (!isWorthAnotherTry(code)) return false
    // Random jitter, so that a thousand clients do not reconnect at the same moment.
    return Math.min(longestDelay, 1000 * 2 ** (attempt - 1)) * (1 + Math.random() * 0.2)
  }

  #show = ({ state, wait, code, reason }) => {
    clearInterval(this.#timer)
    if (state === 'connecting') this.#say('connecting')
    if (state === 'open') this.#say('connected')
    if (state !== 'away') return
    const until = Date.now() + wait
    const tick = () => {
      const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000))
      this.#say('waiting', { code, reason, seconds })
    }
    this.#timer = setInterval(tick, 250)
    tick()
  }

  #say (state, more) {
    this.dispatchEvent(new CustomEvent('state', { detail: { state, ...more } }))
  }
}
