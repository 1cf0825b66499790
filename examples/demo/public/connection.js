// A WebSocket that reconnects: after 1 s, 2 s, 4 s … 15 s, and at once when the network is back.
// With several servers, it connects to another one when its own is lost.
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
const stable = 10_000 // after this long without a loss the delay starts at 1 s again

/**
 * Events: `state` ({ state: 'connecting' | 'connected' | 'waiting' | 'closed', code, reason,
 * seconds }), and one event for each topic, with the `data` of `{"topic": …, "data": …}` as its
 * detail.
 */
export class Connection extends EventTarget {
  /** The URL of the current or last connection. */
  server
  #path
  #socket
  #failures = 0
  #timer
  #wanted = true

  constructor (path) {
    super()
    this.#path = path
    window.addEventListener('online', this.retry)
    this.#open()
  }

  /** @returns whether the socket has accepted it */
  send (message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false
    this.#socket.send(JSON.stringify(message))
    return true
  }

  /** Reconnects now instead of waiting. */
  retry = () => {
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#open()
  }

  /** Closes without reconnecting. */
  close () {
    this.#wanted = false
    clearInterval(this.#timer)
    window.removeEventListener('online', this.retry)
    this.#socket.close(1000)
  }

  #open () {
    this.#say('connecting')
    const server = this.server = servers.current
    const url = new URL(this.#path, server)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    const socket = this.#socket = new WebSocket(url)
    let openedAt = Infinity
    socket.onopen = () => {
      openedAt = performance.now()
      if (this.#wanted) this.#say('connected')
    }
    socket.onmessage = ({ data }) => {
      const { topic, data: detail } = JSON.parse(data)
      if (this.#wanted) this.dispatchEvent(new CustomEvent(topic, { detail }))
    }
    socket.onclose = ({ code, reason }) => {
      if (!this.#wanted) return
      this.#say('closed', { code, reason })
      if (performance.now() - openedAt > stable) this.#failures = 0
      if (isServerLost(code)) giveUp(server)
      if (isWorthAnotherTry(code)) this.#wait(code, reason)
      else this.close()
    }
  }

  #wait (code, reason) {
    // Random jitter, so that a thousand clients do not reconnect at the same moment.
    const delay = Math.min(longestDelay, 1000 * 2 ** this.#failures++) * (1 + Math.random() * 0.2)
    const until = performance.now() + delay
    const tick = () => {
      const seconds = Math.ceil((until - performance.now()) / 1000)
      if (seconds > 0) this.#say('waiting', { code, reason, seconds })
      else this.retry()
    }
    this.#timer = setInterval(tick, 250)
    tick()
  }

  #say (state, more) {
    this.dispatchEvent(new CustomEvent('state', { detail: { state, ...more } }))
  }
}
