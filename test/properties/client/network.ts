// Sockets between a client and the reference server, in memory. A frame is in flight until the
// history delivers it, and a cut loses all that is in flight.
import { ReferenceServer, type Peer } from '../../client/fixtures/reference.js'
import { Lab, type FakeSocket } from '../../client/fixtures/world.js'

type Data = string | Uint8Array
type Down = Data | { code: number, reason: string }

/** One socket, seen from both ends. */
export class Link implements Peer {
  readonly socket: FakeSocket
  readonly #server: ReferenceServer
  #end: ReturnType<ReferenceServer['accept']> | undefined
  readonly #down: Down[] = []
  #isCut = false
  #serverKnows = false
  #clientKnows = false
  #closeIsSent = false

  constructor (socket: FakeSocket, server: ReferenceServer) {
    this.socket = socket
    this.#server = server
  }

  get isDialing (): boolean {
    return this.#end === undefined && !this.#isCut && this.socket.closed === undefined
  }

  /** Whether frames still get through. */
  get isAlive (): boolean {
    return !this.#isCut && this.socket.closed === undefined
  }

  /** The server answers the handshake. The 101 and the hello are in flight together. */
  accept (): void {
    if (!this.isDialing) return
    // Plain mode has tests of its own: here such a handshake fails.
    if (this.socket.protocols.length === 0) this.lose(true, true)
    else this.#end = this.#server.accept(this.socket.protocols, this)
  }

  send (data: Data): void {
    this.#down.push(data)
  }

  close (code: number, reason: string): void {
    this.#down.push({ code, reason })
  }

  cut (): void {
    this.lose(true, true)
  }

  /** Frames from the client arrive at the server. */
  deliverUp (count: number): void {
    if (this.#isCut || this.#end === undefined) return
    for (const data of this.socket.sent.splice(0, count)) this.#end.receive(data)
    if (this.socket.closed === undefined || this.socket.sent.length > 0) return
    // A close frame ends the session; a handshake that was given up is lost.
    if (this.socket.protocol !== '' && !this.#closeIsSent) this.#server.close(this)
    this.#closeIsSent = true
    this.lose(true, false)
  }

  /** Frames from the server arrive at the client. */
  deliverDown (count: number): void {
    if (this.#isCut || this.#end === undefined) return
    for (const frame of this.#down.splice(0, count)) {
      if (this.socket.readyState === 0) this.socket.open()
      if (typeof frame === 'string') this.socket.message(frame)
      else if (frame instanceof Uint8Array) this.socket.message(frame.slice().buffer)
      else this.socket.end(frame.code, frame.reason)
    }
  }

  /** The network is cut. Each end may notice now, or only when it looks for signs of life. */
  lose (serverNotices: boolean, clientNotices: boolean): void {
    this.#isCut = true
    this.socket.sent.length = 0
    this.#down.length = 0
    if (serverNotices && !this.#serverKnows) {
      this.#serverKnows = true
      this.#end?.lost()
    }
    if (clientNotices && !this.#clientKnows) {
      this.#clientKnows = true
      this.socket.end()
    }
  }

  /** The handshake fails after the 101: the hello is lost. */
  loseHello (): void {
    if (this.#end === undefined || this.socket.readyState !== 0) return
    this.socket.open()
    this.lose(true, true)
  }
}

/** A client and a server, with all sockets between them, the newest first. */
export class Network {
  readonly lab = new Lab({ queue: 2 ** 30 })
  readonly server = new ReferenceServer()
  readonly links: Link[] = []
  /** Called with the protocols that the client offers on a new socket. */
  onDial: ((protocols: readonly string[]) => void) | undefined

  constructor () {
    this.lab.world.onSocket = (socket) => {
      this.links.unshift(new Link(socket, this.server))
      this.onDial?.(socket.protocols)
    }
  }
}
