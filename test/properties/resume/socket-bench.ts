// The environment of random histories over real sockets: a server, its targets, and one client
// behind a proxy.
import Fastify from 'fastify'
import { wsRelay } from '../../../lib/index.js'
import { Registration } from '../../../lib/registration/registration.js'
import { closeOf, frameOf } from '../../client-frames.js'
import { TestCluster } from '../../cluster/nodes.js'
import { listen, openSockets, until } from '../../helpers.js'
import { Cutter } from '../../integration/resume/cutter.js'
import { WireClient, compressing, reset } from '../../integration/resume/wire-client.js'
import { nextLap } from '../../laps.js'
import { equal } from '../suite.js'
import { ResumeTarget } from './resume-target.js'
import type { FastifyInstance } from 'fastify'
import type { WireSocket } from '../../integration/resume/wire-client.js'
import type { UpgradeServer } from '../../../lib/registration/upgrade-server.js'
import type { Pid } from '../../../types/pid.js'
import type { Processes } from '../../../types/processes.js'
import type { WsRelayOptions } from '../../../types/relay.js'
import type { Ending, SocketStep } from './socket-steps.js'

const options: WsRelayOptions = {
  mailboxLimit: 8,
  pingInterval: 0,
  perMessageDeflate: { threshold: 0 },
  allowedOrigins: '*',
  resume: { notify: true }
}

/** A server for many histories, one after the other. */
export class SocketServer {
  readonly app: FastifyInstance
  readonly relay: UpgradeServer
  readonly port: number
  /** Where the targets run: this node, or another one. */
  readonly targets: Processes
  /** The target of the next connection. */
  first: Pid | undefined
  readonly #tasks: Array<() => unknown>

  private constructor (
    app: FastifyInstance, port: number, targets: Processes, tasks: Array<() => unknown>
  ) {
    this.app = app
    this.relay = Registration.of(app)!.relay
    this.port = port
    this.targets = targets
    this.#tasks = tasks
  }

  /** @param remote whether the targets run on another node */
  static async start (remote: boolean): Promise<SocketServer> {
    const app = Fastify()
    const tasks: Array<() => unknown> = [() => app.close()]
    const cluster = remote
      ? new TestCluster({ teardown: (task: () => unknown) => { tasks.push(task) } })
      : undefined
    await app.register(wsRelay, cluster === undefined
      ? options
      : { ...options, node: 'sockets', cluster: cluster.engine() })
    app.addHook('preHandler', async (request, reply) => {
      if ('x-refuse' in request.headers) return reply.code(401).send()
    })
    // Two upgrades that begin together overlap.
    app.addHook('onSend', async () => { await nextLap() })
    const handler = (_request: unknown, reply: any): void => { reply.relay(server.first!).send() }
    app.get('/ws', handler)
    app.get('/other', handler)
    const targets = await cluster?.node('targets', { mailboxLimit: 8 })
    const port = await listen(app)
    const isUp = (): boolean =>
      app.processes.cluster?.nodes().some(({ node, state }) =>
        node === 'targets' && state === 'up') !== false
    await until(isUp)
    const server = new SocketServer(app, port, targets ?? app.processes, tasks)
    return server
  }

  async close (): Promise<void> {
    for (const task of this.#tasks) await task()
  }
}

/** One history: a session from its first socket to its end. */
export class SocketBench {
  readonly #server: SocketServer
  readonly #processes: Processes
  readonly #targets: readonly ResumeTarget[]
  readonly #tasks: Array<() => void> = []
  /** Closes sockets and proxies with the history. */
  readonly #closing = { teardown: (task: () => void) => { this.#tasks.push(task) } }
  readonly #toClient: string[] = []
  readonly #fromClient: string[] = []
  /** Sockets that another one has replaced, with the number of messages that were sent before. */
  readonly #replaced: Array<{ readonly wire: WireSocket, readonly sent: number }> = []
  #cutter!: Cutter
  #client!: WireClient
  #pid!: Pid
  #watcher!: Pid
  #exits = 0
  /** Index of the present target. */
  #target = 0
  #text = 0

  constructor (server: SocketServer) {
    this.#server = server
    this.#processes = server.app.processes
    this.#targets = [new ResumeTarget(server.targets), new ResumeTarget(server.targets)]
  }

  /** Opens the session. The client has sent a message, so it may come back. */
  async begin (): Promise<void> {
    const { port } = this.#server
    this.#server.first = this.#targets[0].pid
    this.#cutter = await Cutter.to(this.#closing, port)
    this.#client = new WireClient(this.#closing, { port: this.#cutter.port })
    await this.#client.connect()
    const [connection] = this.#server.relay.connections as unknown as Iterable<{ pid: Pid }>
    this.#pid = connection.pid
    this.#watcher = this.#processes.spawn(async (self) => {
      self.monitor(this.#pid)
      for await (const { topic } of self.inbox) if (topic === '@exit') this.#exits++
    }) as Pid
    this.#client.ack()
    this.#client.ping()
    await this.#client.wire.until(() => this.#client.wire.acks.length === 1)
  }

  async do (step: SocketStep): Promise<void> {
    switch (step.do) {
      case 'server sends':
        for (let i = 0; i < step.count; i++) this.#serverSends(this.#nextText(step.size))
        return
      case 'client sends':
        for (let i = 0; i < step.count; i++) this.#clientSends(this.#nextText(step.size))
        return
      case 'ack': return this.#client.ack()
      case 'ping': return this.#client.ping()
      case 'freeze': return this.#cutter.freeze()
      case 'thaw': return this.#cutter.thaw()
      case 'cut': return step.bytes === 0 ? this.#cutter.cut() : this.#cutter.cutAfter(step.bytes)
      case 'connect': return await this.#connect(step.behind, step.compressed, step.bytes)
      case 'hold': return this.#targets[step.target].hold()
      case 'release': return this.#targets[step.target].release()
      case 'transfer': return this.#transfer(step.target)
      case 'intrude': return await this.#intrude(step.how)
      case 'rivals': return await this.#rivals()
      case 'laps': for (let i = 0; i < step.count; i++) await nextLap()
    }
  }

  #nextText (size: number): string {
    return `${size === 1 ? '\u0000' : ''}${this.#text++}${'x'.repeat(size)}`
  }

  #serverSends (data: string): void {
    equal(this.#processes.send(this.#pid, 'ws.send', { data }), true, 'a message that is accepted')
    this.#toClient.push(data)
  }

  #clientSends (text: string): void {
    this.#fromClient.push(text)
    this.#client.send(text)
  }

  #transfer (target: number): void {
    const { pid } = this.#targets[target]
    if (target === this.#target) return
    this.#target = target
    this.#processes.send(this.#pid, 'ws.control', { target_pid: pid })
  }

  /** @param bytes after which the new socket is cut; it may not even get its hello */
  async #connect (behind: number, compressed: boolean, bytes = Infinity): Promise<void> {
    const old = this.#client.wire
    const received = Math.max(0, this.#client.take().length - behind)
    this.#cutter.limitNext(Math.max(1, bytes))
    const headers = compressed ? compressing : {}
    try {
      const { hello } = await this.#client.connect({ received, headers })
      equal(hello!.resumed, true, 'a session that continues')
      equal(hello!.received <= this.#fromClient.length, true, 'messages that were not sent')
      this.#replaced.push({ wire: old, sent: this.#toClient.length })
    } catch (err) {
      if (!/^closed/.test((err as Error).message)) throw err
    }
    // The server reads none of these bytes.
    this.#cutter.thaw()
  }

  /** Somebody else offers a token. The session goes on as if nothing had happened. */
  async #intrude (how: Extract<SocketStep, { do: 'intrude' }>['how']): Promise<void> {
    const { port } = this.#server
    const other = new WireClient(this.#closing, { port })
    const token = how === 'retired' ? await this.#retiredToken() : this.#client.token!
    if (token === undefined) return
    const before = this.#processes.info(this.#pid)
    const wire = await other.connect({
      received: 0,
      token: how === 'altered' ? token.replace(/.$/, (last) => last === 'A' ? 'E' : 'A') : token,
      path: how === 'path' ? '/other' : '/ws?ticket=1',
      headers: {
        ...how === 'origin' && { origin: 'https://other.example' },
        ...how === 'refused by a hook' && { 'x-refuse': '1' }
      }
    })
    if (how === 'refused by a hook') equal(wire.status, 401)
    else {
      equal(wire.hello!.resumed, false, how)
      equal(wire.hello!.why, 'refused', how)
    }
    await this.#drop(wire)
    if (before!.connected === false) equal(this.#processes.info(this.#pid)!.connected, false)
  }

  /** A connection that has sent nothing ends with its socket. */
  async #drop (wire: WireSocket): Promise<void> {
    reset(wire.socket)
    await wire.closed()
    await until(() => this.#server.relay.connections.size === 1)
  }

  /** A token of an earlier hello, once the server has had a message on the present socket. */
  async #retiredToken (): Promise<string | undefined> {
    const { wire, hellos } = this.#client
    for (const target of this.#targets) target.release()
    const { length } = wire.acks
    if (!wire.isOpen || this.#cutter.isFrozen) return undefined
    this.#client.ping()
    await Promise.race([wire.until(() => wire.acks.length > length).catch(() => {}), wire.closed()])
    if (wire.acks.length === length) return undefined
    const present = this.#client.token
    return hellos.map(({ token }) => token).filter((token) => token !== present).at(-1)
  }

  /** Two sockets offer the same token at the same time. At most one has the session then. */
  async #rivals (): Promise<void> {
    const { token } = this.#client
    const received = this.#client.take().length
    const wires = await Promise.all([1, 2].map(async () => {
      const rival = new WireClient(this.#closing, { port: this.#server.port })
      return await rival.connect({ token, received })
    }))
    const winners = wires.filter(({ hello }) => hello!.resumed)
    const losers = wires.filter(({ hello }) => !hello!.resumed)
    equal(winners.length > 0, true, 'one of two resumes')
    for (const { hello } of losers) equal(hello!.why, 'refused', 'the other of two')
    // If both have resumed, the second has cut the first.
    if (losers.length === 0) await until(() => wires.some(({ isOpen }) => !isOpen))
    for (const wire of wires) await this.#drop(wire)
    await this.#connect(0, false)
  }

  /** Called after each step. */
  check (): void {
    const received = this.#client.take()
    received.forEach((text, i) => { equal(text, this.#toClient[i], `message ${i} at the client`) })
    const { sessions } = this.#server.relay
    equal(sessions.suspendedCount <= 1, true, 'suspended sessions')
    if (sessions.suspendedCount === 0) equal(sessions.keptBytes, 0, 'kept bytes')
    equal(this.#exits, 0, 'exits within the window')
  }

  /** When the network works again, everything arrives. */
  async quiet (): Promise<void> {
    for (const target of this.#targets) target.release()
    this.#cutter.thaw()
    await this.#connect(0, false)
    this.#serverSends('a last one')
    this.#clientSends('a last one')
    // The pong follows all messages of the server. The ping follows all of the client.
    const { wire } = this.#client
    wire.write(frameOf(9))
    await wire.until(() => wire.pongs > 0)
    for (const target of this.#targets) await target.flush(this.#processes)
    this.check()
    equal(this.#client.received.length, this.#toClient.length, 'messages at the client')
    // A target that was held may have its messages later than the next one.
    const taken = this.#targets.map((target) => {
      const numbers = target.messagesOf(this.#pid).map((text) => this.#fromClient.indexOf(text))
      equal(String(numbers), String([...numbers].sort((a, b) => a - b)), 'messages in order')
      return numbers
    }).flat().sort((a, b) => a - b)
    equal(String(taken), String(this.#fromClient.map((_, i) => i)), 'messages at the targets')
    for (const { wire, sent } of this.#replaced) {
      const late = wire.data.find((text) => this.#toClient.indexOf(text) >= sent)
      equal(late, undefined, 'a message on an old socket')
    }
  }

  #count (target: ResumeTarget, topic: string): number {
    return target.topics.filter((one) => one === `${this.#pid} ${topic}`).length
  }

  /** Ends the connection. Nothing remains of it. */
  async end (ending: Ending): Promise<void> {
    const { relay, app } = this.#server
    const client = this.#client
    switch (ending) {
      case 'client':
        client.wire.write(closeOf(1000))
        break
      case 'server':
        this.#processes.send(this.#pid, 'ws.close', { code: 4001, reason: 'enough' })
        await client.wire.closed()
        equal(client.wire.close?.code, 4001)
        break
      case 'kill':
        this.#processes.exit(this.#pid, 'kill')
        break
      case 'away':
        await client.cut()
        await until(() => relay.sessions.suspendedCount === 1)
        this.#processes.send(this.#pid, 'ws.close', { code: 4003, reason: 'kicked' })
        await client.connect()
        equal(client.hellos.at(-1)!.why, 'ended')
        await client.wire.closed()
        equal(client.wire.close?.code, 4003)
        equal(relay.sessions.tombstoneCount, 1, 'tombstones')
        // As when its window is over.
        relay.sessions.close()
        break
      case 'gap':
        await client.connect({ received: this.#toClient.length + 1 })
        equal(client.hellos.at(-1)!.why, 'gap')
        await client.cut()
    }
    await client.wire.closed()
    await until(() => relay.connections.size === 0 && openSockets(app) === 0 && this.#exits > 0)
    await until(() => this.#targets.every((target) =>
      this.#count(target, 'ws.join') === this.#count(target, 'ws.leave')))
    for (const target of this.#targets) target.judge(this.#pid)
    const { sessions, deadlines } = relay
    equal(this.#exits, 1, 'exits')
    equal(sessions.suspendedCount + sessions.tombstoneCount, 0, 'sessions')
    equal(sessions.keptBytes, 0, 'kept bytes')
    equal(deadlines.size, 0, 'deadlines')
  }

  /** Closes everything of the history, also after a failure. */
  async close (): Promise<void> {
    for (const task of this.#tasks) task()
    if (this.#pid !== undefined) this.#processes.exit(this.#pid, 'kill')
    if (this.#watcher !== undefined) this.#processes.exit(this.#watcher, 'kill')
    for (const { pid } of this.#targets) this.#server.targets.exit(pid, 'kill')
    const { connections, sessions } = this.#server.relay
    await until(() => connections.size === 0)
    sessions.close()
  }
}
