// A proxy between the clients and a server, which cuts each client off again and again.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'

export interface CutterOptions {
  clients: number
  /** The port of the server. */
  target: number
  /** Milliseconds between the end of an outage and the next cut, 15 000 on the average. */
  pause: readonly [least: number, most: number]
  /** Milliseconds for which a client that was cut is refused. */
  outage: readonly [least: number, most: number]
  /** After so many milliseconds a client learns of a silent cut; absent: it must find out. */
  silence?: number
}

/**
 * How a client is cut. `reset`: both sides get an RST. `half-open`: only the client gets one, as
 * when a phone changes its network. `silent`: neither gets anything, as behind a broken router.
 */
export interface Cuts { reset: number, 'half-open': number, silent: number }

interface Pair {
  readonly near: Socket
  readonly far: Socket
  /** Nothing is passed on. */
  isSilent: boolean
}

const longestRequest = 8192

export class JitterCutter {
  readonly cuts: Cuts = { reset: 0, 'half-open': 0, silent: 0 }
  readonly #options: CutterOptions
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  /** The newest connection of each client. */
  readonly #pairs = new Map<number, Pair>()
  /** The clients that are refused now. */
  readonly #away = new Set<number>()
  readonly #timers = new Set<NodeJS.Timeout>()
  #mayBeSilent = true

  private constructor (options: CutterOptions) {
    this.#options = options
    this.#server = createServer((near) => { this.#greet(near) })
  }

  static async start (options: CutterOptions): Promise<JitterCutter> {
    const cutter = new JitterCutter(options)
    cutter.#server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 })
    await once(cutter.#server, 'listening')
    return cutter
  }

  get port (): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Cuts from now on. The first cuts are spread as if there had been some before. */
  begin (): void {
    for (let id = 0; id < this.#options.clients; id++) {
      this.#later(Math.random() * this.#options.pause[1], () => { this.#cut(id) })
    }
  }

  /** Cuts from now on with an RST to both sides, so that nobody finds out too late. */
  warn (): void {
    this.#mayBeSilent = false
  }

  /** Lets all clients in, and cuts nobody any more. What is half-open stays so. */
  end (): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    this.#away.clear()
    const { silence } = this.#options
    if (silence === undefined) return
    for (const { near, isSilent } of this.#pairs.values()) if (isSilent) near.resetAndDestroy()
  }

  close (): void {
    this.end()
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }

  #later (delay: number, task: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      task()
    }, delay)
    this.#timers.add(timer)
  }

  #track (socket: Socket): void {
    this.#sockets.add(socket)
    socket.setNoDelay().on('error', () => {}).on('close', () => { this.#sockets.delete(socket) })
  }

  /** Reads who the client is: its request line has `id=`. */
  #greet (near: Socket): void {
    let head = ''
    this.#track(near)
    const read = (bytes: Buffer): void => {
      head += bytes.toString('latin1')
      if (!head.includes('\r\n') && head.length < longestRequest) return
      near.off('data', read)
      const id = /^GET \S*[?&]id=(\d+)/.exec(head)?.[1]
      if (id === undefined || this.#away.has(Number(id))) near.resetAndDestroy()
      else this.#join(Number(id), near, Buffer.from(head, 'latin1'))
    }
    near.on('data', read)
  }

  #join (id: number, near: Socket, head: Buffer): void {
    const far = connect(this.#options.target, '127.0.0.1')
    this.#track(far)
    const pair: Pair = { near, far, isSilent: false }
    this.#pairs.set(id, pair)
    far.write(head)
    for (const [from, to] of [[near, far], [far, near]]) {
      from.on('data', (bytes) => { if (!pair.isSilent) to.write(bytes) })
      from.on('close', () => { if (!pair.isSilent) to.destroy() })
    }
    near.on('close', () => { if (this.#pairs.get(id) === pair) this.#pairs.delete(id) })
  }

  #cut (id: number): void {
    const { pause, outage, silence } = this.#options
    const between = ([least, most]: readonly [number, number]): number =>
      least + Math.random() * (most - least)
    const pair = this.#pairs.get(id)
    // A client that is away, or has not found out yet.
    if (pair === undefined || pair.isSilent) {
      this.#later(between(pause), () => { this.#cut(id) })
      return
    }
    const dice = Math.random()
    const kind = !this.#mayBeSilent || dice < 0.7 ? 'reset' : dice < 0.85 ? 'half-open' : 'silent'
    this.cuts[kind]++
    pair.isSilent = kind !== 'reset'
    if (kind === 'reset') pair.far.resetAndDestroy()
    if (kind !== 'silent') pair.near.resetAndDestroy()
    else if (silence !== undefined) this.#later(silence, () => { pair.near.resetAndDestroy() })
    this.#away.add(id)
    this.#later(between(outage), () => {
      this.#away.delete(id)
      this.#later(between(pause), () => { this.#cut(id) })
    })
  }
}
