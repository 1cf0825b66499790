// The environment of random histories of sessions: the server, its targets, and one client.
import { parseConfig } from '../../../lib/connection/config.js'
import { Connection } from '../../../lib/connection/connection.js'
import { normalizeOptions } from '../../../lib/registration/options.js'
import { UpgradeServer } from '../../../lib/registration/upgrade-server.js'
import { serialOf } from '../../../lib/cluster/context.js'
import { Session } from '../../../lib/session/session.js'
import { WebSocketTransport } from '../../../lib/websocket/transport.js'
import { buildRuntime, held } from '../../process/helpers.js'
import { ManualClock, ticks } from '../clock.js'
import { ModelClient } from './resume-client.js'
import { ResumeTarget } from './resume-target.js'
import { equal } from '../suite.js'
import type { Link, ModelHello } from './resume-client.js'
import type { Target } from '../../../lib/process/entity.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { RouteSettings } from '../../../lib/registration/options.js'
import type { ResumeSettings } from '../../../lib/registration/resume-options.js'
import type { ConnectionExit, Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Processes } from '../../../types/processes.js'
import type { Step } from './resume-steps.js'

const window = 1000
/** Deadlines are rounded up. */
const lateness = 50
const mailboxLimit = 8
const scope = { origin: '', path: '/ws' }
/** Bytes. So small that clients miss messages that are not kept any more. */
const smallBuffer = 200

/** How many of the last texts fit into the small buffer, as frames. */
function countInBuffer (texts: readonly string[]): number {
  let bytes = 0
  let count = 0
  for (const text of [...texts].reverse()) {
    const length = text.length + (text.startsWith('\u0000') ? 1 : 0)
    bytes += length + (length < 126 ? 2 : 4)
    if (bytes > smallBuffer) break
    count++
  }
  return count
}

/** The server's half of one session, as the model knows it. */
interface Modelled {
  readonly pid: Pid
  /** Accepted messages to the client. */
  readonly toClient: string[]
  readonly session: Session
  exit: (Exit & { value: ConnectionExit }) | undefined
  /** The client has sent a message that the server has. */
  isProved: boolean
  /** It has had one socket. */
  isFirstLink: boolean
  /** When a socket was lost after which the server has had no message. */
  lostAt: number | undefined
  link: Link
}

export class ResumeBench {
  readonly clock = new ManualClock()
  readonly runtime: Runtime
  readonly processes: Processes
  readonly relay: UpgradeServer
  readonly client = new ModelClient()
  readonly targets: ResumeTarget[] = []
  readonly #route: RouteSettings
  readonly #links: Link[] = []
  /** Old sockets, with the bytes that the server had written when another took over. */
  readonly #replaced = new Map<Link, number>()
  readonly #mayGap: boolean
  #sessions: Modelled[] = []
  /** The session of the client's last hello. A later one may have opened since. */
  #atClient: Modelled | undefined
  /** Sessions that have ended, with what the client sent. Held targets take their mail later. */
  readonly #ended: Array<{ session: Modelled, sent: readonly string[] }> = []
  #text = 0

  constructor (small: boolean) {
    this.#mayGap = small
    const resume = { window, notify: true, buffer: small ? smallBuffer : 1e6 }
    const { server, route } = normalizeOptions({ mailboxLimit, pingInterval: 0, resume })
    const { runtime, processes } = buildRuntime({ clock: this.clock, mailboxLimit })
    this.runtime = runtime
    this.processes = processes
    this.relay = new UpgradeServer(runtime, server)
    this.#route = route
    for (let i = 0; i < 2; i++) this.targets.push(new ResumeTarget(processes))
    this.clock.run()
    this.client.onReset = (hello) => { this.#reset(hello) }
  }

  get #session (): Modelled | undefined {
    return this.#sessions.at(-1)
  }

  do (step: Step): void {
    switch (step.do) {
      case 'server sends': return this.#serverSends(step.count, step.size)
      case 'client sends':
        for (let i = 0; i < step.count; i++) this.client.send(this.#nextText(step.size))
        return
      case 'up': return this.client.link?.moveUp(step.bytes)
      case 'down': return this.client.link?.moveDown(step.bytes)
      case 'ack': return this.client.ack()
      case 'ping': return this.client.ping()
      case 'cut': return this.#cut(step.up, step.down, step.noticed)
      case 'notice': return this.#notice()
      case 'connect': return this.connect(step.behind)
      case 'blip': return this.#blip(step.ms, step.up)
      case 'stale': return this.#offerWrongTokens()
      case 'time': return this.clock.advance(step.ms)
      case 'hold': return this.targets[step.target].hold()
      case 'release': return this.targets[step.target].release()
      case 'transfer': return this.#transfer(this.targets[step.target].pid)
      case 'yield': return this.clock.yieldOnce()
    }
  }

  #nextText (size: number): string {
    return `${size === 1 ? '\u0000' : ''}${this.#text++}${'x'.repeat(size)}`
  }

  #serverSends (count: number, size: number): void {
    for (let i = 0; i < count; i++) {
      const data = this.#nextText(size)
      const session = this.#session
      if (session === undefined) return
      if (this.processes.send(session.pid, 'ws.send', { data })) session.toClient.push(data)
    }
  }

  #cut (up: number, down: number, noticed: boolean): void {
    const { link } = this.client
    if (link === undefined || link.isLeft) return
    link.moveUp(up)
    link.moveDown(down)
    link.leave()
    if (noticed) this.#notice()
  }

  /** The client is lost, and comes back. @param up bytes of it that arrive then */
  #blip (ms: number, up: number): void {
    this.#cut(0, 0, true)
    this.clock.advance(ms)
    if (this.hasEnded) return
    this.connect()
    this.clock.yieldOnce()
    this.client.link!.moveDown()
    this.client.link!.moveUp(up)
  }

  /** The server notices that sockets are dead. */
  #notice (): void {
    for (const link of this.#links) {
      if (!link.isLeft || link.destroyed) continue
      link.reset()
    }
  }

  #transfer (pid: Pid): void {
    const session = this.#session
    if (session !== undefined) this.processes.send(session.pid, 'ws.control', { target_pid: pid })
  }

  /** As an upgrade does. @param behind messages that the offer does not know of */
  connect (behind = 0): void {
    const { client } = this
    const { token } = client
    const received = Math.max(0, client.received.length - behind)
    const found = token === undefined ? undefined : this.#find(token)
    const link = client.use()
    this.#links.push(link)
    if (found?.ok !== true) {
      // Whatever hellos were lost, the client can resume a session that is alive.
      const before = this.#atClient
      equal(before !== undefined && before.exit === undefined, false, 'a token that is refused')
      return this.#open(link)
    }
    const { session, offer } = found.value
    const modelled = this.#sessions.find(({ pid }) => serialOf(pid) === session.serial)!
    if (!session.canReplayAfter(received)) {
      equal(this.#mayGap, true, 'a gap')
      session.endForGap()
      equal(modelled.exit?.value.cause, 'lost', 'an end for a gap')
      return this.#open(link)
    }
    const transport = this.#transportFor(link)
    this.#replaced.set(modelled.link, modelled.link.writtenBytes)
    modelled.link = link
    modelled.isFirstLink = false
    session.attach(transport, { ...offer, received })
  }

  #find (token: string, at = scope) {
    const [node, incarnation, serial, mac] = token.split('.')
    const offer = { token: { node, incarnation, serial, mac }, received: 0 }
    const found = this.relay.sessions.find(offer, at)
    if (!found.ok) return found
    const { session } = found.value
    if (!(session instanceof Session)) throw new Error('a tombstone')
    return { ok: true as const, value: { ...found.value, session } }
  }

  #transportFor (socket: Link): WebSocketTransport {
    return new WebSocketTransport({
      server: this.relay, socket, settings: this.#route, deflate: undefined
    })
  }

  #open (link: Link): void {
    const target = this.runtime.processTable.findEntity(this.targets[0].pid) as Target
    const parsed = parseConfig(target.pid, this.#route)
    if (!parsed.ok) throw new Error(parsed.problem)
    const { policy } = this.#route.resume as ResumeSettings
    const terms = { policy, owner: undefined, protocol: '' }
    const transport = this.#transportFor(link)
    const session = new Session(this.relay.sessions, transport, terms)
    const connection = new Connection({
      relay: this.relay, settings: this.#route, transport: session, target, config: parsed.value
    })
    const { pid } = connection
    session.start(serialOf(pid), scope, undefined)
    const modelled: Modelled = {
      pid,
      toClient: [],
      session,
      exit: undefined,
      isProved: false,
      isFirstLink: true,
      lostAt: undefined,
      link
    }
    this.#sessions.push(modelled)
    connection.open()
    this.runtime.exitSignals.monitor(pid, {
      targetEnded: (exit) => { modelled.exit = exit as Modelled['exit'] }
    })
  }

  /** A retired token attaches nothing, and neither does a valid one on another path. */
  #offerWrongTokens (): void {
    const { retired, token } = this.client
    for (const one of retired) equal(this.#find(one).ok, false, 'a retired token')
    if (token === undefined) return
    equal(this.#find(token, { ...scope, path: '/ws2' }).ok, false, 'a token of another path')
    equal(this.#find(token, { ...scope, origin: 'null' }).ok, false, 'a token of another origin')
  }

  /** The client has a new session, so the one before has ended. */
  #reset (hello: ModelHello): void {
    const { received, sent } = this.client
    const before = this.#atClient
    if (before !== undefined) {
      this.#judgeClient(before, received)
      this.#ended.push({ session: before, sent })
    }
    this.#atClient = this.#sessions.at(-1)
    equal(hello.received, 0)
  }

  /** The messages at the client are a beginning of what was sent to it. */
  #judgeClient (session: Modelled, received: readonly string[]): void {
    received.forEach((text, i) => { equal(text, session.toClient[i], `message ${i} at the client`) })
  }

  /** The messages at the targets are a beginning of what the client sent. No target is held now. */
  #judgeTargets (session: Modelled, sent: readonly string[]): void {
    // A target that was held has its messages later than another one. Each has them in order.
    const taken = this.targets.map((target) => {
      const numbers = target.messagesOf(session.pid).map((text) => sent.indexOf(text))
      numbers.forEach((number, i) => {
        if (i > 0) equal(number > numbers[i - 1], true, 'messages of a target in order')
      })
      return numbers
    }).flat().sort((a, b) => a - b)
    taken.forEach((number, i) => { equal(number, i, 'messages at the targets') })
  }

  /** Called after each step. */
  check (): void {
    const session = this.#session
    if (session === undefined) return
    // After a takeover nothing is written to the old socket.
    for (const [link, bytes] of this.#replaced) equal(link.writtenBytes, bytes, 'an old socket')
    if (session.link.hasNewMessage()) {
      session.isProved = true
      session.lostAt = undefined
      if (session === this.#atClient) this.client.retire(session.link)
    }
    if (session.link.destroyed && session.isFirstLink && !session.isProved) {
      equal(session.exit !== undefined, true, 'an end with a first socket that had no message')
    }
    if (session.link.destroyed && session.exit === undefined) session.lostAt ??= this.clock.time
    if (session.exit === undefined) {
      const time = session.lostAt === undefined ? 0 : this.clock.time - session.lostAt
      equal(time <= window + lateness, true, 'a session that outlives its window')
      const { toClient } = session
      const received = toClient.length - countInBuffer(toClient)
      equal(session.session.canReplayAfter(received), true, 'messages that are kept')
      return
    }
    if (session.exit.value.cause !== 'lost') throw new Error(session.exit.value.cause)
  }

  /** A session ends only after its window, or with the first socket. */
  checkEnd (lostAt: number | undefined): void {
    const session = this.#session
    if (session?.exit === undefined || !session.isProved || this.#mayGap) return
    const wasOpen = lostAt === undefined || this.clock.time - lostAt < window
    equal(wasOpen, false, 'a session that ended within its window')
  }

  get lostAt (): number | undefined {
    return this.#session?.lostAt
  }

  get hasEnded (): boolean {
    return this.#session === undefined || this.#session.exit !== undefined
  }

  async rest (): Promise<void> {
    for (const target of this.targets) target.release()
    for (let i = 0; i < 12; i++) {
      await ticks()
      this.clock.run()
      this.clock.yieldOnce()
      this.client.link?.moveUp()
      this.client.link?.moveDown()
    }
    await ticks()
  }

  /** When the network works again, everything arrives. */
  async quiet (): Promise<void> {
    this.connect()
    await this.rest()
    this.client.ack()
    await this.rest()
    const session = this.#session!
    const { received, sent } = this.client
    this.#judgeClient(session, received)
    this.#judgeTargets(session, sent)
    for (const ended of this.#ended) this.#judgeTargets(ended.session, ended.sent)
    equal(received.length, session.toClient.length, 'messages at the client')
    const taken = this.targets.flatMap((target) => target.messagesOf(session.pid))
    equal(taken.length, sent.length, 'messages at the targets')
    for (const { pid } of this.#sessions) for (const target of this.targets) target.judge(pid)
  }

  /** Nothing remains. @param away whether the client is away when its connection ends */
  async end (away: boolean): Promise<void> {
    if (away) this.client.link?.reset()
    await this.rest()
    for (const { pid } of this.#sessions) this.processes.exit(pid, 'kill')
    this.#notice()
    this.client.link?.reset()
    await this.rest()
    const { sessions, connections, deadlines } = this.relay
    equal(deadlines.size, sessions.tombstoneCount, 'deadlines of tombstones')
    this.clock.advance(2 * window)
    await this.rest()
    equal(connections.size, 0, 'connections')
    equal(sessions.suspendedCount + sessions.tombstoneCount, 0, 'sessions')
    equal(sessions.keptBytes, 0, 'kept bytes')
    equal(deadlines.size, 0, 'deadlines')
    equal(held(this.runtime).alive, this.targets.length, 'processes')
  }
}
