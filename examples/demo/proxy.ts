// The network between the people and the server: a TCP proxy that can be told to fail.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

const host = '127.0.0.1'
const maxConnections = 1000

/** One connection: the socket of a person, and the one to the server. */
interface Link { person: Socket, server: Socket, isSilent: boolean }

export class Proxy {
  readonly #listener = createServer({ pauseOnConnect: true }, (person) => this.#accept(person))
  readonly #links = new Set<Link>()
  /** People who came while there was no server. */
  readonly #waiting = new Set<Socket>()
  #port: number | undefined

  /** @returns the port @throws an error with the code `EADDRINUSE` */
  async listen (port: number): Promise<number> {
    this.#listener.maxConnections = maxConnections
    this.#listener.listen(port, host)
    await once(this.#listener, 'listening')
    return (this.#listener.address() as AddressInfo).port
  }

  /** New connections go to the server at this port. Without a port they wait for the next one. */
  leadTo (port: number | undefined) {
    this.#port = port
    if (port === undefined) return
    for (const person of this.#waiting) this.#join(person, port)
    this.#waiting.clear()
  }

  /** Resets connections on both sides, as a network that fails and says so. */
  cut (ports: number[]) {
    for (const { person, server } of this.#find(ports)) {
      person.resetAndDestroy()
      server.resetAndDestroy()
    }
  }

  /**
   * Loses all that is sent from now on, and closes nothing: so is the old connection of somebody
   * who has moved to another network. TCP calls it half-open, because neither side knows.
   */
  silence (ports: number[]) {
    for (const link of this.#find(ports)) {
      link.isSilent = true
      link.person.unpipe().resume()
      link.server.unpipe().resume()
    }
  }

  close () {
    this.#listener.close()
    for (const { person, server } of this.#links) {
      person.destroySoon()
      server.destroy()
    }
    for (const person of this.#waiting) person.destroy()
  }

  /** The server sees the ports from which this proxy connects to it, so it names them so. */
  #find (ports: number[]) {
    return [...this.#links].filter(({ server }) => ports.includes(server.localPort ?? 0))
  }

  #accept (person: Socket) {
    person.on('error', () => {}) // `close` follows
    if (this.#port !== undefined) return this.#join(person, this.#port)
    this.#waiting.add(person)
    person.once('close', () => { this.#waiting.delete(person) })
  }

  #join (person: Socket, port: number) {
    const server = connect(port, host).on('error', () => {})
    const link: Link = { person, server, isSilent: false }
    this.#links.add(link)
    person.pipe(server)
    server.pipe(person)
    // A silent connection tells neither side of the end of the other.
    person.once('close', () => {
      if (!link.isSilent) server.destroySoon()
      forget()
    })
    server.once('close', () => {
      if (!link.isSilent) person.destroySoon()
      forget()
    })
    const forget = () => { if (person.destroyed && server.destroyed) this.#links.delete(link) }
  }
}
