// Random histories of sockets: requests, upgrades, FIN, RST and silence, at any byte. Every socket
// on which an upgrade arrived must be gone in time; a socket without one must behave as on plain
// Fastify.
import { once } from 'node:events'
import { connect } from 'node:net'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import Fastify from 'fastify'
import { wsRelay } from '../../../lib/index.js'
import { handshake, key } from '../../helpers.js'
import { suiteOf } from '../suite.js'
import type { AddressInfo, Socket } from 'node:net'
import type { FastifyInstance } from 'fastify'

/** Requests without an upgrade. */
const plainRequests = {
  fast: 'GET /fast HTTP/1.1\r\nhost: relay.test\r\n\r\n',
  slow: 'GET /slow HTTP/1.1\r\nhost: relay.test\r\n\r\n',
  large: 'GET /large HTTP/1.1\r\nhost: relay.test\r\n\r\n',
  post: 'POST /post HTTP/1.1\r\nhost: relay.test\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\nhello',
  last: 'GET /last HTTP/1.1\r\nhost: relay.test\r\nconnection: close\r\n\r\n'
} as const

/** The target of an upgrade, and whether its response may stay open as long as its client stays. */
const targets = {
  '/in/relay': true,
  '/in/relay-late': true,
  '/in/refuse': false,
  '/in/never': false,
  '/in/stream': true,
  '/in/hijack': true,
  '/in/hijack-silent': false,
  '/in/native': true,
  '/in/native-late': true,
  '/in/native-never': false,
  '/in/off-stream': true,
  '/out': false,
  '/slow': false,
  '/large': false,
  '/out-never': false,
  '/out-stream': true,
  '/out-hijack': true,
  '/out-hijack-silent': false,
  '/nowhere': false,
  '/other-refuses': false,
  '/other-refuses-late': false,
  '/other-writes': true
} as const

type End = 'FIN' | 'RST' | 'silence'

/** The script of one client. */
export interface Script {
  readonly before: ReadonlyArray<keyof typeof plainRequests>
  readonly upgrade: {
    readonly target: keyof typeof targets, readonly token: string, readonly tail: number
  } | undefined
  /** Where the bytes are split into two writes, and where they end: from 0 to 1. */
  readonly cut: number
  readonly at: number
  readonly end: End
  /** Whether slow handlers continue before the client ends. */
  readonly released: boolean
}

export interface History {
  readonly scripts: readonly Script[]
  /** Whether the server is closed while clients are still connected. */
  readonly closes: boolean
}

const script: fc.Arbitrary<Script> = fc.record({
  before: fc.array(fc.constantFrom(
    ...Object.keys(plainRequests) as Array<keyof typeof plainRequests>
  ), { maxLength: 3 }),
  upgrade: fc.option(fc.record({
    target: fc.constantFrom(...Object.keys(targets) as Array<keyof typeof targets>),
    token: fc.constantFrom('websocket', 'x', 'h2c, websocket'),
    tail: fc.constantFrom(0, 10, 20_000)
  }), { nil: undefined, freq: 5 }),
  cut: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
  at: fc.oneof(fc.constant(1), fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100)),
  end: fc.constantFrom<End>('FIN', 'RST', 'silence'),
  released: fc.boolean()
})

const histories: fc.Arbitrary<History> = fc.record({
  scripts: fc.array(script, { minLength: 80, maxLength: 160, size: 'max' }),
  closes: fc.boolean()
})

/** The promise that all slow handlers of one server wait for. */
class Gate {
  open!: () => void
  readonly opened = new Promise<void>((resolve) => { this.open = resolve })
}

/** A server with the same routes, with or without the plugin in a scope. */
class Server {
  readonly app: FastifyInstance = Fastify({ forceCloseConnections: false })
  readonly gates = new Map<string, Gate>()
  readonly sockets = new Map<number, Socket>()
  port = 0

  async start (relayed: boolean): Promise<this> {
    const { app } = this
    app.server.on('connection', (socket) => { this.sockets.set(socket.remotePort!, socket) })
    app.get('/fast', async () => 'fast')
    app.get('/last', async () => 'last')
    app.get('/slow', async ({ raw: { socket } }) => {
      await this.gate(String(socket.remotePort)).opened
      return 'slow'
    })
    app.get('/large', async () =>
      Readable.from(Array.from({ length: 20 }, () => Buffer.alloc(40_000, 'x')))
    )
    app.post('/post', async ({ body }) => String(body))
    if (relayed) await this.#upgrades()
    await app.listen({ port: 0, host: '127.0.0.1' })
    this.port = (app.server.address() as AddressInfo).port
    return this
  }

  async #upgrades (): Promise<void> {
    const { app } = this
    const wait = async ({ raw: { socket } }: { raw: { socket: Socket } }) => {
      await this.gate(String(socket.remotePort)).opened
    }
    // Another listener of the server. It does not read its sockets.
    app.server.on('upgrade', (request, socket) => {
      const { url } = request
      socket.on('error', () => {})
      if (url === '/other-refuses') socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n')
      else if (url === '/other-refuses-late') {
        setTimeout(() => {
          socket.end('HTTP/1.1 401 Unauthorized\r\n\r\n')
        }, 20)
      } else if (url === '/other-writes') socket.write('open')
    })
    const open = () =>
      new Readable({ read () {} }).once('resume', function (this: Readable) {
        this.push('open')
      })
    app.get('/out', async () => 'out')
    app.get('/out-never', () => {})
    app.get('/out-stream', async () => open())
    app.get('/out-hijack', (_, reply) => { reply.hijack().raw.writeHead(200).write('open') })
    app.get('/out-hijack-silent', (_, reply) => { reply.hijack() })
    await app.register(async (scope) => {
      await scope.register(wsRelay, { upgradeTimeout: 60, closeTimeout: 60 })
      const target = scope.processes.spawn(async (self) => { await self.serve({}, () => {}) })
      scope.get('/relay', (_, reply) => { reply.relay(target).send() })
      scope.get('/relay-late', async (request, reply) => {
        await wait(request)
        return reply.relay(target).send()
      })
      scope.get('/refuse', async (_, reply) => reply.code(403).send('no'))
      scope.get('/never', () => {})
      scope.get('/stream', async () => open())
      scope.get('/off-stream', { config: { wsRelay: false } }, async () => open())
      scope.get('/hijack', (_, reply) => { reply.hijack().raw.writeHead(200).write('open') })
      scope.get('/hijack-silent', (_, reply) => { reply.hijack() })
      const native = { websocket: true } as object
      scope.get('/native', native, () => {})
      scope.get('/native-late', { ...native, preHandler: wait as never }, () => {})
      scope.get(
        '/native-never',
        { ...native, preHandler: (async () => await new Promise(() => {})) as never },
        () => {}
      )
    }, { prefix: '/in' })
  }

  gate (name: string): Gate {
    let gate = this.gates.get(name)
    if (gate === undefined) this.gates.set(name, gate = new Gate())
    return gate
  }
}

/** A client that runs its script. */
class Client {
  readonly script: Script
  readonly #server: Server
  readonly #socket: Socket
  #port = 0
  text = ''

  constructor (server: Server, script: Script) {
    this.script = script
    this.#server = server
    this.#socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
    this.#socket.on('data', (bytes) => { this.text += bytes.toString('latin1') })
    this.#socket.on('error', () => {})
  }

  async play (): Promise<void> {
    await once(this.#socket, 'connect')
    this.#port = this.#socket.localPort!
    await until(() => this.#server.sockets.has(this.#port), 'the server has the socket')
    const { script } = this
    const bytes = bytesOf(script)
    const sent = bytes.subarray(0, Math.ceil(bytes.length * script.at))
    const cut = Math.floor(sent.length * script.cut)
    if (script.released) this.release()
    this.#socket.write(sent.subarray(0, cut))
    await turns(2)
    this.#socket.write(sent.subarray(cut))
    if (script.at !== 1 || script.cut > 0.5) await turns(4)
    this.leave(script.end)
  }

  leave (how: End): void {
    if (how === 'FIN') this.#socket.end()
    else if (how === 'RST') this.#socket.resetAndDestroy()
  }

  release (): void {
    this.#server.gate(String(this.#port)).open()
  }

  /** Whether the server has closed the socket. */
  get isGone (): boolean {
    return this.#server.sockets.get(this.#port)!.destroyed
  }

  /** Whether all bytes of the upgrade arrived. */
  get hasUpgrade (): boolean {
    const { before, upgrade } = this.script
    return (
      upgrade !== undefined &&
      this.#sent >=
        before.map((name) => plainRequests[name]).join('').length + upgradeOf(upgrade).length
    )
  }

  get #sent (): number {
    return Math.ceil(bytesOf(this.script).length * this.script.at)
  }

  /** Whether the socket may stay: Node's rules, an open stream as response, or a 101. */
  get mayStay (): boolean {
    const { upgrade, end } = this.script
    return !this.hasUpgrade || (end === 'silence' && targets[upgrade!.target])
  }

  /** Whether the socket belongs to `@fastify/websocket`. */
  get isNative (): boolean {
    return this.script.upgrade?.target.startsWith('/in/native') === true
  }

  /** Whether the response comes only when slow handlers continue. */
  get isWaiting (): boolean {
    const { before, released } = this.script
    return !released && before.includes('slow')
  }

  cleanUp (): void {
    this.#socket.destroy()
  }
}

function upgradeOf ({ target, token }: NonNullable<Script['upgrade']>): string {
  return handshake(target, { upgrade: token, 'sec-websocket-key': key })
}

function bytesOf ({ before, upgrade }: Script): Buffer {
  const requests = before.map((name) => plainRequests[name]).join('')
  if (upgrade === undefined) return Buffer.from(requests)
  // A long frame that is never complete.
  const header = Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0])
  return Buffer.concat([
    Buffer.from(requests + upgradeOf(upgrade)),
    header.subarray(0, upgrade.tail === 0 ? 0 : header.length),
    Buffer.alloc(upgrade.tail)
  ])
}

async function turns (count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => { setImmediate(resolve) })
}

/**
 * Checks of a condition, at least 5 ms apart, which take far longer than any deadline of these
 * servers. They are counted, because on a busy machine time passes without a turn for this thread.
 */
const maxChecks = 1200

async function until (condition: () => boolean, what: string | (() => string)): Promise<void> {
  for (let checks = 0; !condition(); checks++) {
    if (checks === maxChecks) {
      throw new Error(`it never comes true: ${typeof what === 'string' ? what : what()}`)
    }
    await new Promise((resolve) => { setTimeout(resolve, 5) })
  }
}

/** The responses to requests before the upgrade, without their dates. */
function answersIn (text: string, { before, upgrade }: Script): string {
  const answers = text.replace(/^date: .*\r\n/gim, '').split(/(?=HTTP\/1\.1 )/)
  return (upgrade === undefined ? answers : answers.slice(0, before.length)).join('')
}

/**
 * On plain Fastify an upgrade is an ordinary request, and frames are a parse error. The other
 * listener does not wait until the requests before it are answered.
 */
function isComparable ({ upgrade, end }: Script): boolean {
  return (
    upgrade === undefined ||
    (end === 'silence' && upgrade.tail === 0 && !upgrade.target.startsWith('/other'))
  )
}

/** Whether two clients with one script got the same. A client that leaves may miss a response. */
function tellsTheSame (client: Client, twin: Client): boolean {
  const { script } = client
  if (script.end !== 'silence') return client.isGone === twin.isGone
  return answersIn(client.text, script) === answersIn(twin.text, script)
}

const listed = (clients: Client[]): string => fc.stringify(clients.map(({ script }) => script))

async function play ({ scripts, closes }: History): Promise<void> {
  const handles = handlesHeld()
  const relayed = await new Server().start(true)
  const plain = await new Server().start(false)
  const clients = scripts.map((script) => new Client(relayed, script))
  const twins = scripts.map(
    (script) => isComparable(script) ? new Client(plain, script) : undefined
  )
  const all = [...clients, ...twins.filter((twin) => twin !== undefined)]
  const allAre = async (condition: (client: Client) => boolean, what: string): Promise<void> => {
    const others = (): Client[] => clients.filter((client) => !condition(client))
    await until(() => others().length === 0, () => `${what}: not so ${listed(others())}`)
  }
  try {
    await Promise.all(all.map(async (client) => { await client.play() }))
    await allAre(
      (client) => client.isGone || client.mayStay || client.isWaiting,
      'gone without the release of slow handlers'
    )
    for (const client of all) client.release()
    await allAre((client) => client.isGone || client.mayStay, 'gone')
    await allAre((client) => {
      const twin = twins[clients.indexOf(client)]
      return twin === undefined || tellsTheSame(client, twin)
    }, 'told the same as on plain Fastify')
    if (!closes) {
      for (const client of clients) client.leave('FIN')
      await allAre((client) => client.isGone, 'gone after FIN')
    }
    // Fastify's close waits for clients without an upgrade, and ws's close for half a minute.
    for (const client of clients) if (!client.hasUpgrade || client.isNative) client.cleanUp()
    let isClosed = false
    relayed.app.close().then(() => { isClosed = true }, () => {})
    await until(
      () => isClosed,
      () => `app.close() resolves: open are ${listed(clients.filter(({ isGone }) => !isGone))}`
    )
  } finally {
    for (const client of all) client.cleanUp()
    for (const server of [relayed, plain]) {
      for (const socket of server.sockets.values()) socket.destroy()
    }
    await Promise.all([relayed.app.close(), plain.app.close()])
  }
  await until(
    () => handlesHeld() === handles,
    () => `no handle is left: ${handlesHeld()} instead of ${handles}`
  )
}

/** The sockets, servers and timers of this thread. */
function handlesHeld (): string {
  return process.getActiveResourcesInfo().filter((name) => /TCP|Timeout/.test(name)).sort().join()
}

export const upgrades = suiteOf('upgrades', histories, play)
