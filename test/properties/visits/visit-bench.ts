// The environment of random histories of keys: their processes, and clients that visit them.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { requestTarget } from '../../../lib/connection/target/target-request.js'
import { asTarget, isTarget } from '../../../lib/process/entity.js'
import { normalizeOptions } from '../../../lib/registration/options.js'
import { UpgradeServer } from '../../../lib/registration/upgrade-server.js'
import { buildRuntime } from '../../process/helpers.js'
import { ManualClock } from '../clock.js'
import { checkNothingRemains, makeConnection, settle } from '../park/park-clients.js'
import { equal } from '../suite.js'
import { Visitor } from './visit-model.js'
import { Gates } from '../gates.js'
import { Room } from './visit-rooms.js'
import { keys } from './visit-steps.js'
import type { TargetRequest } from '../../../lib/connection/target/target-request.js'
import type { Target } from '../../../lib/process/entity.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { RouteSettings } from '../../../lib/registration/options.js'
import type { ConnectionEvent } from '../../../types/events.js'
import type { Keyed } from '../../../types/keyed.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'
import type { Witness } from './visit-rooms.js'
import type { Step } from './visit-steps.js'

const mailboxLimit = 8
const closeTimeout = 50
const period = 1000
const channel = 'fastify-ws-relay:connection'

/** How the processes of a history are kept. */
export interface Plan {
  readonly park: number
  readonly delay: number
}

type Of<D extends Step['do']> = Extract<Step, { do: D }>

export class VisitBench implements Witness {
  readonly clock = new ManualClock()
  readonly runtime: Runtime
  readonly relay: UpgradeServer
  readonly #processes: Processes
  readonly #route: RouteSettings
  readonly #park: number
  readonly #keyed: Keyed
  readonly #plain: Pid
  readonly #rooms: Room[] = []
  readonly #loading = new Gates()
  readonly #cleaning = new Gates()
  readonly #visitors: Visitor[] = []
  /** Those that steps name by a number. */
  readonly #present: Array<Visitor | undefined> = []
  readonly #requests: Array<TargetRequest | undefined> = []
  #next: Of<'next'> | undefined
  #isEnding = false
  /** Calls of `stop` that have not settled. */
  #stopping = 0
  /** The first event that the contract does not allow. */
  #problem: unknown

  readonly #listener = (message: unknown): void => {
    const event = message as ConnectionEvent
    this.#guard(() => { this.#visitorOf(event.pid)?.apply(event) })
  }

  constructor ({ park, delay }: Plan) {
    const { server, route } = normalizeOptions({
      mailboxLimit, pingInterval: 0, closeTimeout, resume: { window: 1000 }
    })
    const { runtime, processes } = buildRuntime({ clock: this.clock, mailboxLimit })
    this.runtime = runtime
    this.#processes = processes
    this.relay = new UpgradeServer(runtime, server)
    this.#route = route
    this.#park = park
    this.#keyed = processes.keyed('k', {
      idle: 300,
      park,
      maxRestarts: 2,
      period,
      ...delay > 0 && { backoff: { initial: delay, max: delay, jitter: 0 } },
      start: (self: Process) => this.#body(self)
    })
    const { processTable } = runtime
    const addEntity = processTable.addEntity.bind(processTable)
    processTable.addEntity = (entity) => {
      addEntity(entity)
      if (isTarget(entity)) this.#addRoom(entity)
    }
    this.#plain = processes.spawn(async (self) => { await this.#body(self) })
    subscribe(channel, this.#listener)
  }

  stopListening (): void {
    unsubscribe(channel, this.#listener)
  }

  #guard (task: () => void): void {
    try {
      task()
    } catch (err) {
      this.#problem ??= err
    }
  }

  #visitorOf (pid: Pid): Visitor | undefined {
    return this.#visitors.find(({ connection }) => connection.pid === pid)
  }

  // The processes

  #addRoom (entity: Target): void {
    const { label } = entity.describe()
    const key = keys.find((key) => this.#keyed.key(key) === label)
    this.#rooms.push(new Room(this.runtime, entity, key, this))
  }

  #roomOf (pid: string): Room {
    return this.#rooms.find((room) => room.pid === pid)!
  }

  #latestRoom (key: string | undefined): Room | undefined {
    return this.#rooms.filter((room) => room.hasStarted && room.key === key).at(-1)
  }

  async #body (self: Process): Promise<void> {
    const room = this.#roomOf(self.pid)
    room.hasStarted = true
    const { start, cleansUp } = this.#next ?? { start: 'runs', cleansUp: false }
    this.#next = undefined
    if (start === 'fails') throw new Error('unloadable')
    if (start === 'waits') await this.#loading.wait()
    try {
      await room.serve(self)
    } finally {
      if (cleansUp && !this.#isEnding) await this.#cleaning.wait()
    }
  }

  joined (room: Room, client: Pid, rejoined: boolean): void {
    this.#guard(() => { this.#visitorOf(client)!.joined(room, rejoined) })
  }

  said (room: Room, client: Pid, number: number): void {
    this.#guard(() => { this.#visitorOf(client)!.said(room, number) })
  }

  left (room: Room, client: Pid): void {
    this.#guard(() => { this.#visitorOf(client)!.left(room) })
  }

  handled (room: Room, topic: string, client: Pid, number: number): void {
    this.#guard(() => {
      equal(this.#latestRoom(room.key), room, 'an older process takes mail')
      this.#visitorOf(client)!.handled(room, topic, number)
    })
  }

  // Steps

  do (step: Step): void {
    switch (step.do) {
      case 'connect': return this.#connect(step)
      case 'next':
        this.#next = step
        return
      case 'loaded': return this.#loading.open(step.nth)
      case 'unloadable': return this.#loading.open(step.nth, new Error('unloadable'))
      case 'clean': return this.#cleaning.open(step.nth)
      case 'time': return this.clock.advance(step.ms)
      case 'exit':
        this.#processes.exit(this.#keyed.key(step.key), step.reason)
        return
      case 'hold':
      case 'release':
        this.#latestRoom(step.key)?.[step.do]()
        return
      case 'stop':
      case 'note':
        this.#processes.send(this.#keyed.key(step.key), step.do)
        return
      case 'cancel':
        this.#processes.cancel(this.#keyed.key(step.key))
        return
      case 'stop key':
        this.#stopping++
        this.#keyed.stop(step.key).then(
          () => { this.#stopping-- },
          (err) => { this.#problem ??= err }
        )
        return
      default: {
        const visitor = this.#present[step.of]
        if (visitor?.isAlive === true) this.#doWith(visitor, step)
      }
    }
  }

  #doWith (visitor: Visitor, step: Extract<Step, { of: number }>): void {
    const { client, connection: { pid } } = visitor
    switch (step.do) {
      case 'send': return this.#send(visitor, step)
      case 'transfer': {
        visitor.mayTransfer()
        const target_pid = step.to === 'plain' ? this.#plain : this.#keyed.key(step.to)
        this.#processes.send(pid, 'ws.control', { target_pid })
        return
      }
      case 'ws.close':
        this.#processes.send(pid, 'ws.close', { code: 4001 })
        return
      case 'leave':
        if (client.isConnected) client.leave?.()
        return
      case 'lose':
        if (client.isConnected) client.lose()
        return
      case 'come back':
        if (!client.isConnected) client.comeBack?.(false)
    }
  }

  #send (visitor: Visitor, { count, text }: Of<'send'>): void {
    if (!visitor.client.maySend) return
    for (let i = 1; i <= count; i++) {
      visitor.client.send(`${++visitor.sent} ${i === count ? text : ''}`)
    }
  }

  #connect ({ of, key, park }: Of<'connect'>): void {
    if (this.#present[of]?.isAlive === true || this.#requests[of] !== undefined) return
    const address = this.#keyed.key(key)
    const request = requestTarget(this.runtime, address)
    if (request === undefined) {
      const found = asTarget(this.runtime.processTable.findEntity(address))
      if (found.ok) this.#open(of, address, found.value, park)
      return
    }
    this.#requests[of] = request
    request.requestBinding((answer) => {
      this.#requests[of] = undefined
      if (answer.ok) this.#open(of, address, answer.value, park)
    })
  }

  #open (of: number, address: Pid, target: Target, park: number | undefined): void {
    const choice = park === 0 ? { on_target_exit: 'close' } : { park }
    const header = { target_pid: address, ...park !== undefined && choice }
    const { connection, client } = makeConnection(this, this.#route, of, target, header)
    const times = { park: park ?? this.#park, kind: this.#park }
    const roomOf = (pid: string): Room => this.#roomOf(pid)
    const visitor = new Visitor(connection, client, times, this.clock, roomOf)
    this.#visitors.push(visitor)
    this.#present[of] = visitor
    connection.open()
  }

  // At rest

  async settle (): Promise<void> {
    await settle(this.clock, () => this.#present.flatMap((one) => one?.client ?? []))
  }

  check (): void {
    if (this.#problem !== undefined) throw this.#problem
    let parked = 0
    for (const visitor of this.#visitors) {
      visitor.check()
      if (visitor.state === 'parked') parked++
    }
    equal(this.relay.counters.parked, parked, 'the number of parked connections')
  }

  /** All processes go on, and start: nothing waits any more. */
  async quiet (): Promise<void> {
    this.#isEnding = true
    this.#next = undefined
    for (let i = 0; i < 20; i++) {
      this.#loading.openAll()
      this.#cleaning.openAll()
      for (const room of this.#rooms) room.release()
      for (const { client, isAlive } of this.#visitors) {
        if (isAlive && !client.isConnected) client.comeBack?.(false)
      }
      await this.settle()
      this.check()
      this.clock.advance(20)
    }
    await this.settle()
    this.check()
    for (const visitor of this.#visitors) visitor.checkQuiet()
    equal(this.#requests.some((request) => request !== undefined), false, 'requests that wait')
    equal(this.#stopping, 0, 'stops that wait')
  }

  /** Nothing remains, and all that was lost is counted. */
  async end (): Promise<void> {
    for (const { connection, client } of this.#visitors) {
      this.#processes.exit(connection.pid, 'kill')
      if (client.isConnected) client.lose()
    }
    await this.settle()
    for (const key of keys) this.#processes.exit(this.#keyed.key(key))
    this.#processes.exit(this.#plain)
    for (let i = 0; i < 3; i++) {
      await this.settle()
      this.clock.advance(period)
    }
    await this.settle()
    if (this.#problem !== undefined) throw this.#problem
    equal(this.runtime.kinds.size, 0, 'keys that remain')
    checkNothingRemains(this)
    const { deadLetters, refusedBy } = this.runtime.counters
    const lost = this.#visitors.reduce((sum, visitor) => sum + visitor.lost, 0)
    const isCounted = deadLetters + refusedBy.stopping >= lost
    equal(isCounted, true, `${lost} messages are lost, which are counted`)
  }
}
