// The environment of random connection histories: targets, watchers, and clients without a network.
import { normalizeOptions } from '../../../lib/registration/options.js'
import { parseConfig } from '../../../lib/connection/config.js'
import { Connection } from '../../../lib/connection/connection.js'
import { UpgradeServer } from '../../../lib/registration/upgrade-server.js'
import { WebSocketTransport } from '../../../lib/websocket/transport.js'
import { buildRuntime } from '../../process/helpers.js'
import { ManualClock, ticks } from '../clock.js'
import { FakeClient } from './fake-client.js'
import { equal } from '../suite.js'
import type { AnyMessage } from '../../process/helpers.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { Target } from '../../../lib/process/entity.js'
import type { ConnectionSettings } from '../../../lib/connection/settings.js'
import type { ConnectionExit, Exit, LeaveCause } from '../../../types/messages.js'
import type { Monitor, Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'

const mailboxLimit = 8
export const maxBufferedAmount = 1500
const mostConnections = 3

interface Mail { topic: string, payload: any, from: Pid | undefined }

/** The model of one connection. */
export interface Modelled {
  readonly number: number
  readonly pid: Pid
  readonly connection: Connection
  readonly client: FakeClient
  target: Story
  /** The number of joins of each target. */
  readonly joins: Map<Story, number>
  /** Messages that the client has written, and those before it closed or broke the protocol. */
  written: number
  writtenBeforeEnd: number | undefined
  /** Messages that it had written when the connection ended. */
  writtenAtEnd: number
  /** Pings of the client; undefined once there may be no room for a pong. */
  pinged: number | undefined
  /** Whether the client is gone. Its unread bytes are lost. */
  wasReset: boolean
  /** Accepted frames of `ws.send`. */
  accepted: number
  /** Whether its buffer was empty at some time in this loop iteration. */
  wasEmpty: boolean
  /** Loop iterations in which the buffer was not empty. */
  turnsLate: number
  /** Calls that are not settled yet. */
  unanswered: number
  /** Events that may have ended it. */
  readonly underWay: Set<LeaveCause>
  readonly exits: Array<Exit & { value: ConnectionExit }>
}

/** A target that records its messages, and stops reading while it is held. */
export class Story {
  readonly number: number
  readonly pid: Pid
  readonly mail: Mail[] = []
  readonly #processes: Processes
  #release: (() => void) | undefined
  #held: Promise<void> | undefined

  constructor (processes: Processes, number: number) {
    this.number = number
    this.#processes = processes
    this.pid = processes.spawn((self) => self.serve({}, ({ topic, payload, from }: AnyMessage) => {
      this.mail.push({ topic, payload, from })
      if (topic as string === 'ws.join') self.monitor(from!)
      return this.#held
    }))
  }

  get alive (): boolean {
    return this.#processes.alive(this.pid)
  }

  hold (): void {
    this.#held ??= new Promise((resolve) => { this.#release = resolve })
  }

  release (): void {
    this.#held = undefined
    this.#release?.()
  }
}

/** A process that monitors connections and is linked with them. */
export class Watching {
  readonly pid: Pid
  readonly mail: Mail[] = []
  readonly links = new Set<Modelled>()
  readonly monitors = new Map<Monitor, Modelled>()
  readonly #processes: Processes
  readonly #runtime: Runtime
  self!: Process

  constructor (processes: Processes, runtime: Runtime, trapLinks: boolean) {
    this.#processes = processes
    this.#runtime = runtime
    this.pid = processes.spawn((self) => {
      this.self = self
      return self.serve({}, ({ topic, payload, from }: AnyMessage) => {
        this.mail.push({ topic, payload, from })
      })
    }, { trapLinks })
  }

  get alive (): boolean {
    return this.#processes.alive(this.pid)
  }

  monitor (connection: Modelled): void {
    if (!this.alive) return
    const before = this.#runtime.processTable.findEntity(connection.pid)
    this.monitors.set(this.self.monitor(connection.pid), connection)
    equal(this.#runtime.processTable.findEntity(connection.pid), before)
  }

  /**
   * Checks one `@exit` for each monitor, equal to the leave, and one `@link_down` for each failure.
   */
  judge (): void {
    if (!this.alive) return
    const exits = this.mail
      .filter(({ topic }) => topic === '@exit')
      .map(({ payload }) => payload as Exit & { monitor: Monitor })
    equal(exits.length, this.monitors.size, 'exits of monitors')
    for (const { monitor, pid, reason, value } of exits) {
      const connection = this.monitors.get(monitor)!
      equal(pid, connection.pid)
      if (reason === 'noproc') continue
      equal(reason, connection.exits[0].reason)
      equal((value as ConnectionExit).cause, connection.exits[0].value.cause)
    }
    const failures = [...this.links].filter(
      ({ exits }) => !['normal', 'shutdown'].includes(exits[0].reason)
    )
    equal(
      this.mail.filter(({ topic }) => topic === '@link_down').length,
      failures.length,
      'failures of links'
    )
  }
}

export class ConnectionBench {
  readonly clock = new ManualClock()
  readonly runtime: Runtime
  readonly processes: Processes
  readonly relay: UpgradeServer
  readonly targets: Story[] = []
  readonly watchers: Watching[] = []
  readonly connections: Modelled[] = []
  readonly #route: ConnectionSettings
  #broadcasts = 0
  #moved = false

  constructor () {
    const { server, route } = normalizeOptions({
      mailboxLimit,
      maxBufferedAmount,
      pingInterval: 100,
      pongTimeout: 100,
      closeTimeout: 50
    })
    const { runtime, processes } = buildRuntime({ clock: this.clock, mailboxLimit })
    this.runtime = runtime
    this.processes = processes
    this.relay = new UpgradeServer(runtime, server)
    this.#route = route
    for (let i = 0; i < 3; i++) this.targets.push(new Story(processes, i))
    for (const trap of [true, false]) this.watchers.push(new Watching(processes, runtime, trap))
    this.clock.run()
  }

  connect (at: number, heartbeat: boolean): void {
    const target = this.targets[at]
    if (this.connections.length === mostConnections || !target.alive) return
    const parsed = parseConfig(
      { target_pid: target.pid, ...(heartbeat && { heartbeat_interval: 100 }) },
      this.#route
    )
    if (!parsed.ok) throw new Error(parsed.problem)
    const client = new FakeClient()
    const connection = new Connection({
      relay: this.relay,
      settings: this.#route,
      transport: new WebSocketTransport({
        server: this.relay, socket: client, settings: this.#route, deflate: undefined
      }),
      target: this.runtime.processTable.findEntity(target.pid) as Target,
      config: parsed.value
    })
    connection.open()
    const modelled: Modelled = {
      number: this.connections.length,
      pid: connection.pid,
      connection,
      client,
      target,
      joins: new Map([[target, 1]]),
      written: 0,
      writtenBeforeEnd: undefined,
      writtenAtEnd: 0,
      pinged: 0,
      wasReset: false,
      accepted: 0,
      wasEmpty: true,
      turnsLate: 0,
      unanswered: 0,
      underWay: new Set(),
      exits: []
    }
    this.connections.push(modelled)
    this.runtime.exitSignals.monitor(connection.pid, {
      targetEnded: (exit) => {
        this.#moved = true
        modelled.writtenAtEnd = modelled.written
        modelled.exits.push(exit as Exit & { value: ConnectionExit })
      }
    })
  }

  /** Events that end a connection at once in any state. */
  ends (connection: Modelled, cause: LeaveCause, act: () => boolean): void {
    const wasAlive = this.processes.alive(connection.pid)
    if (wasAlive) connection.underWay.add(cause)
    equal(act(), wasAlive, 'an end')
    equal(this.processes.alive(connection.pid), false)
    if (wasAlive) equal(connection.exits[0].value.cause, cause, 'the cause of an end')
  }

  /** Returns the buffered bytes of a client, and records an empty buffer or one over the limit. */
  buffered (modelled: Modelled): number {
    const { buffered } = modelled.connection.describe()
    // Only the last ping gets a pong while the buffer is over the limit.
    if (buffered! > maxBufferedAmount) modelled.pinged = undefined
    if (buffered === 0) {
      modelled.wasEmpty = true
      modelled.turnsLate = 0
    }
    return buffered!
  }

  /** Runs one iteration of the event loop. */
  yieldOnce (): void {
    for (const one of this.connections) this.buffered(one)
    this.clock.yieldOnce()
    for (const one of this.connections) {
      one.turnsLate++
      one.wasEmpty = false
      this.buffered(one)
    }
  }

  /** Whether the limit accepts the next frame; undefined when both results are allowed. */
  mayBeSent (modelled: Modelled): boolean | undefined {
    const buffered = this.buffered(modelled)
    if (buffered <= maxBufferedAmount) return true
    if (buffered > 16 * maxBufferedAmount) return false
    if (modelled.wasEmpty) return true
    // A flush waits at most four iterations, and then the socket has one.
    return modelled.turnsLate > 6 ? false : undefined
  }

  /** Sends a frame by a call, which resolves when the kernel has it. */
  call (connection: Modelled, data: string): void {
    const { client, pid } = connection
    connection.unanswered++
    const settled = (): void => { connection.unanswered-- }
    const { refused } = this.processes.stats()
    const answer = this.processes.call(pid, 'ws.send', { data })
    if (this.processes.stats().refused === refused) connection.accepted++
    answer.then(() => {
      settled()
      equal(client.texts.includes(data), true, 'a frame that was handed over')
    }, (err: { code: string }) => {
      settled()
      equal(
        ['FST_PROCESS_REFUSED', 'FST_PROCESS_CALL_FAILED', 'FST_PROCESS_CALL_TIMEOUT'].includes(
          err.code
        ),
        true,
        err.code
      )
    })
  }

  broadcast (): void {
    const members = this.processes.groups.members('room')
    for (const one of this.connections) if (members.includes(one.pid)) one.underWay.add('slow')
    const accepted = this.processes.groups.broadcast('room', 'ws.send', {
      data: `b${this.#broadcasts++}`
    })
    const refused = members.filter((pid) => !this.processes.alive(pid)).length
    equal(accepted, members.length - refused, 'receivers of a broadcast')
  }

  moved (): void {
    this.#moved = true
  }

  /** While nothing ended or was transferred, the mailbox of each target stays within its limit. */
  bounds (): void {
    if (this.#moved) return
    for (const { pid } of this.targets) {
      const mailbox = this.processes.info(pid)?.mailbox ?? 0
      equal(
        mailbox <= mailboxLimit + 2 * mostConnections,
        true,
        `${mailbox} messages in a mailbox of ${mailboxLimit}`
      )
    }
  }

  async rest (): Promise<void> {
    for (const target of this.targets) target.release()
    for (const { client } of this.connections) client.reads()
    for (let i = 0; i < 12; i++) {
      await ticks()
      this.clock.choice = 0
      this.clock.run()
      this.yieldOnce()
    }
    await ticks()
  }

  /** Lets all targets and clients read again, until nothing waits. */
  atRest (): void {
    for (const { pid, connection, client, written, pinged } of this.connections) {
      if (!this.processes.alive(pid)) continue
      const { paused, buffered, messages } = connection.describe()
      equal(paused, false, 'a connection that is paused for ever')
      equal(buffered, 0, 'bytes that wait')
      if (client.silent) continue
      equal(messages, written, 'messages')
      if (pinged !== undefined) equal(client.pongs.length, pinged, 'pongs')
    }
    for (const { alive, pid } of this.targets) {
      if (alive) equal(this.processes.info(pid)!.mailbox, 0)
    }
  }

  async end (): Promise<void> {
    for (const one of this.connections) {
      if (this.processes.alive(one.pid)) {
        this.ends(one, 'exit', () => this.processes.exit(one.pid, 'over'))
      }
    }
    await this.rest()
    // The last client never closes its side, so its socket is destroyed.
    for (const { client, number } of this.connections) {
      if (number < mostConnections - 1) client.ends()
    }
    await this.rest()
    equal(
      this.relay.deadlines.size <= this.relay.connections.size,
      true,
      'deadlines of sockets that are gone'
    )
    this.clock.advance(1000)
    await this.rest()
    for (const { unanswered } of this.connections) equal(unanswered, 0, 'calls that nobody settles')
  }
}
