// The environment of random histories of rooms that fail: names, rooms and connections.
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { asTarget } from '../../../lib/process/entity.js'
import { normalizeOptions } from '../../../lib/registration/options.js'
import { UpgradeServer } from '../../../lib/registration/upgrade-server.js'
import { buildRuntime } from '../../process/helpers.js'
import { ManualClock } from '../clock.js'
import { equal } from '../suite.js'
import { checkNothingRemains, makeConnection, settle } from './park-clients.js'
import { ModelledConnection } from './park-model.js'
import { Room } from './park-rooms.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { RouteSettings } from '../../../lib/registration/options.js'
import type { ConnectionEvent } from '../../../types/events.js'
import type { Pid } from '../../../types/pid.js'
import type { Processes } from '../../../types/processes.js'
import type { Step } from './park-steps.js'

const names = ['a', 'b']
const mailboxLimit = 8
const closeTimeout = 50
/** Milliseconds over which a drain closes the connections. */
const drainTime = 200
const channel = 'fastify-ws-relay:connection'

type Of<D extends Step['do']> = Extract<Step, { do: D }>

export class ParkBench {
  readonly clock = new ManualClock()
  readonly runtime: Runtime
  readonly processes: Processes
  readonly relay: UpgradeServer
  readonly #route: RouteSettings
  readonly #rooms: Room[] = []
  readonly #connections: ModelledConnection[] = []
  /** The connections that steps name by a number. */
  readonly #present: Array<ModelledConnection | undefined> = []
  /** Present once the server drains: when all connections are closed, and whether it says so. */
  #drain: { readonly endsAt: number, isDone: boolean } | undefined
  /** The first event that the contract does not allow. */
  #problem: unknown

  readonly #listener = (message: unknown): void => {
    const event = message as ConnectionEvent
    try {
      this.#connections.find(({ pid }) => pid === event.pid)?.apply(event)
    } catch (err) {
      this.#problem ??= err
    }
  }

  constructor () {
    const { server, route } = normalizeOptions({
      mailboxLimit, pingInterval: 0, closeTimeout, resume: { window: 1000 }
    })
    const { runtime, processes } = buildRuntime({ clock: this.clock, mailboxLimit })
    this.runtime = runtime
    this.processes = processes
    this.relay = new UpgradeServer(runtime, server)
    this.#route = route
    subscribe(channel, this.#listener)
  }

  stopListening (): void {
    unsubscribe(channel, this.#listener)
  }

  do (step: Step): void {
    switch (step.do) {
      case 'start': return this.#start(names[step.name], step.kind)
      case 'connect': return this.#connect(step)
      case 'unregister':
        this.processes.names.unregister(names[step.name])
        return
      case 'time': return this.clock.advance(step.ms)
      case 'drain': return this.#beginDrain()
      case 'let end':
        // The room that has waited longest.
        this.#rooms.find(({ exit, isOpen, kind }) => {
          return exit === undefined && (kind === 'deaf' || !isOpen)
        })?.letEnd(step.fails)
        return
      default: {
        const connection = this.#present[step.of]
        if (connection?.isAlive === true) this.#doWith(connection, step)
      }
    }
  }

  #doWith (connection: ModelledConnection, step: Extract<Step, { of: number }>): void {
    const { room, client, underWay, pid } = connection
    switch (step.do) {
      case 'crash': return room.crash(step.reason)
      case 'stop': return room.stop()
      case 'cancel': return room.cancel()
      case 'hold': return room.hold()
      case 'release': return room.release()
      case 'send': return this.#send(connection, step)
      case 'tell': return this.#tell(connection)
      case 'transfer': return this.#transfer(connection, step)
      case 'take name':
        if (this.#ownerOf(names[step.name]) !== undefined) return
        this.processes.names.register(names[step.name], pid)
        return
      case 'ws.close':
        underWay.add('process')
        this.processes.send(pid, 'ws.close', { code: 4001 })
        return
      case 'leave':
        if (client.leave === undefined || !client.isConnected) return
        underWay.add('client')
        return client.leave()
      case 'lose':
        if (!client.isConnected) return
        underWay.add('lost')
        return client.lose()
      case 'come back':
        if (!client.isConnected) client.comeBack?.(this.#drain !== undefined)
    }
  }

  #beginDrain (): void {
    if (this.#drain !== undefined) return
    const drain = { endsAt: this.clock.now() + drainTime + 2 * closeTimeout, isDone: false }
    this.#drain = drain
    for (const { underWay } of this.#connections) underWay.add('shutdown')
    this.processes.drain({ over: drainTime, delay: 0 }).then(
      () => { drain.isDone = true },
      (err) => { this.#problem ??= err }
    )
  }

  #ownerOf (name: string): Pid | undefined {
    return this.processes.names.lookup(name)
  }

  #openRoomAt (name: string): Room | undefined {
    const pid = this.#ownerOf(name)
    return this.#rooms.find((room) => room.pid === pid && room.isOpen)
  }

  #start (name: string, kind: Room['kind']): void {
    if (this.#ownerOf(name) !== undefined) return
    this.#rooms.push(new Room(this.processes, this.runtime, name, kind, (room) => {
      for (const connection of this.#connections) connection.roomRefuses(room)
    }))
  }

  #connect ({ of, name, park }: Of<'connect'>): void {
    if (this.#present[of]?.isAlive === true) return
    const target = asTarget(this.runtime.processTable.findEntity(names[name]))
    if (!target.ok) return
    const header = { target_pid: names[name], ...park && { on_target_exit: 'park', park } }
    const { connection, client } = makeConnection(this, this.#route, of, target.value, header)
    const roomOf = (pid: Pid): Room => this.#rooms.find((room) => room.pid === pid)!
    const modelled = new ModelledConnection(connection, client, this.clock, roomOf)
    if (park !== undefined) modelled.policy = { name: names[name], time: park }
    if (this.#drain !== undefined) modelled.underWay.add('shutdown')
    this.#connections.push(modelled)
    this.#present[of] = modelled
    connection.open()
  }

  #send (connection: ModelledConnection, { count, text }: Of<'send'>): void {
    const { client } = connection
    if (!client.maySend) return
    for (let i = 1; i <= count; i++) {
      client.send(`${++connection.sent} ${i === count ? text : ''}`)
    }
  }

  #tell (connection: ModelledConnection): void {
    const data = `told ${connection.told.length}`
    equal(this.processes.send(connection.pid, 'ws.send', { data }), true, 'a message to a client')
    connection.told.push(data)
  }

  #transfer (connection: ModelledConnection, step: Of<'transfer'>): void {
    const name = names[step.name]
    const room = this.#openRoomAt(name)
    const isKept = this.#ownerOf(name) === connection.room.pid
    connection.transferTo = isKept ? undefined : room
    connection.noteRead()
    const accepted = this.processes.send(connection.pid, 'ws.control', {
      target_pid: name, ...step.change !== 'none' && { on_target_exit: step.change }
    })
    equal(accepted, isKept || room !== undefined, 'a transfer')
    connection.transferTo = undefined
    if (!accepted) return
    const { policy } = connection
    if (step.change === 'close') connection.policy = undefined
    else if (policy !== undefined) connection.policy = { ...policy, name }
    else if (step.change === 'park') connection.policy = { name, time: 10_000 }
  }

  async settle (): Promise<void> {
    await settle(this.clock, () => this.#present.flatMap((one) => one?.client ?? []))
  }

  check (): void {
    if (this.#problem !== undefined) throw this.#problem
    let parked = 0
    for (const connection of this.#connections) {
      const { policy, state } = connection
      connection.check(policy && this.#openRoomAt(policy.name))
      if (state === 'parked') parked++
    }
    equal(this.relay.counters.parked, parked, 'the number of parked connections')
  }

  /** Every room goes on or is replaced by one that does: nothing waits any more. */
  async quiet (): Promise<void> {
    for (let i = 0; i < 100; i++) {
      for (const name of names) {
        if (this.#connections.some(({ pid }) => pid === this.#ownerOf(name))) {
          this.processes.names.unregister(name)
        }
        this.#start(name, 'steady')
      }
      for (const room of this.#rooms) {
        room.release()
        if (room.exit === undefined && room.kind !== 'steady') {
          room.letEnd(true)
          room.crash('boom')
        }
      }
      for (const { client, isAlive } of this.#connections) {
        if (isAlive && !client.isConnected) client.comeBack?.(this.#drain !== undefined)
      }
      await this.settle()
      this.check()
      const isQuiet = this.#rooms.every(({ exit, kind, isOpen }) => {
        return exit !== undefined || (kind === 'steady' && isOpen)
      })
      if (isQuiet && this.#connections.every(({ state }) => state !== 'parked')) break
    }
    if (this.#drain !== undefined) return await this.#endDrain(this.#drain)
    for (const connection of this.#connections) if (connection.isAlive) connection.checkQuiet()
  }

  /** At its end no connection is open, whether it is parked or not. */
  async #endDrain (drain: { readonly endsAt: number, readonly isDone: boolean }): Promise<void> {
    while (this.clock.now() <= drain.endsAt) {
      this.clock.advance(20)
      await this.settle()
    }
    this.check()
    equal(drain.isDone, true, 'the end of a drain')
    for (const { isAlive } of this.#connections) equal(isAlive, false, 'an open connection')
  }

  /** The server closes in the middle of everything. */
  async close (): Promise<void> {
    for (const { underWay } of this.#connections) underWay.add('shutdown')
    for (const room of this.#rooms) room.serverCloses()
    const closed = this.relay.close()
    await this.settle()
    for (const connection of this.#connections) {
      equal(connection.isAlive, false, 'a connection of a closed server')
    }
    for (let i = 0; i < 10; i++) {
      this.clock.advance(50)
      await this.settle()
    }
    await closed
  }

  /** Nothing remains, and all that was lost is counted. */
  async end (): Promise<void> {
    for (const { pid, underWay, client } of this.#connections) {
      underWay.add('killed')
      this.processes.exit(pid, 'kill')
      if (client.isConnected) client.lose()
    }
    await this.settle()
    for (const room of this.#rooms) room.crash('boom')
    for (let i = 0; i < 3; i++) {
      await this.settle()
      this.clock.advance(1100)
    }
    this.check()
    this.#judgeLosses()
    checkNothingRemains(this)
  }

  #judgeLosses (): void {
    const { deadLetters, refusedBy } = this.runtime.counters
    const counted = deadLetters + refusedBy.stopping
    let atLeast = 0
    let atMost = 0
    for (const { orders: { accepted, handled }, cancels } of this.#rooms) {
      atLeast += accepted - handled
      atMost += accepted - handled + cancels
    }
    for (const connection of this.#connections) {
      const losses = connection.judge()
      atLeast += losses.atLeast
      atMost += losses.atMost
    }
    const isCounted = counted >= atLeast && counted <= atMost
    equal(isCounted, true, `${counted} messages counted as lost, ${atLeast} to ${atMost} are lost`)
  }
}
