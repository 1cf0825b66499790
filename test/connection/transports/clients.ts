// Clients of connections over each transport, on a clock that only the test moves.
import { parseConfig } from '../../../lib/connection/config.js'
import { Connection } from '../../../lib/connection/connection.js'
import { normalizeOptions } from '../../../lib/registration/options.js'
import { UpgradeServer } from '../../../lib/registration/upgrade-server.js'
import { opcodes } from '../../../lib/websocket/frames.js'
import { WebSocketTransport } from '../../../lib/websocket/transport.js'
import { closeOf, frameOf, textOf } from '../../client-frames.js'
import { buildRuntime } from '../../process/helpers.js'
import { ManualClock, ticks } from '../../properties/clock.js'
import { Story } from '../../properties/connections/connection-bench.js'
import { FakeClient } from '../../properties/connections/fake-client.js'
import { MemoryTransport } from './memory-transport.js'
import type { Transport } from '../../../lib/connection/transport.js'
import type { Target } from '../../../lib/process/entity.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { ConnectionSettings } from '../../../lib/connection/settings.js'
import type { Processes } from '../../../types/processes.js'
import type { WsRelayOptions } from '../../../types/relay.js'

/** A client, and the transport to it. */
export interface Client {
  readonly transport: Transport
  /** The texts that it has read. */
  readonly texts: readonly string[]
  /** How the server has closed. */
  readonly seen: { readonly code: number | undefined, readonly reason: string } | undefined
  /** Whether the server has cut it. */
  readonly isCut: boolean
  send (data: string | Buffer): void
  close (code: number, reason: string): void
  /** It goes without a word. */
  vanish (): void
  /** Stops reading, until it reads again. */
  stall (): void
  read (): void
}

export class Rig {
  readonly clock = new ManualClock()
  readonly runtime: Runtime
  readonly processes: Processes
  readonly relay: UpgradeServer
  readonly settings: ConnectionSettings
  #stories = 0

  constructor (options: WsRelayOptions = {}) {
    const { server, route } = normalizeOptions({
      mailboxLimit: 8, pingInterval: 100, pongTimeout: 100, closeTimeout: 50, ...options
    })
    const { runtime, processes } = buildRuntime({ clock: this.clock, mailboxLimit: 8 })
    this.runtime = runtime
    this.processes = processes
    this.relay = new UpgradeServer(runtime, server)
    this.settings = route
  }

  target (): Story {
    return new Story(this.processes, this.#stories++)
  }

  connect (target: Story, transport: Transport, header: object = {}): Connection {
    const parsed = parseConfig(
      { target_pid: target.pid, metadata: { of: 'ada' }, ...header }, this.settings
    )
    if (!parsed.ok) throw new Error(parsed.problem)
    const connection = new Connection({
      relay: this.relay,
      transport,
      settings: this.settings,
      target: this.runtime.processTable.findEntity(target.pid) as Target,
      config: parsed.value
    })
    connection.open()
    return connection
  }

  /** Runs everything that can run without a move of the clock. */
  async settle (): Promise<void> {
    for (let i = 0; i < 12; i++) {
      await ticks()
      this.clock.run()
      this.clock.yieldOnce()
    }
    await ticks()
  }

  async advance (ms: number): Promise<void> {
    this.clock.advance(ms)
    await this.settle()
  }
}

class MemoryClient implements Client {
  readonly transport: MemoryTransport

  constructor ({ clock, relay }: Rig) {
    this.transport = new MemoryTransport(clock, relay.options.closeTimeout)
  }

  get texts (): string[] {
    return this.transport.received.map((message) => message.slice(1))
  }

  get seen (): Client['seen'] {
    return this.transport.seen
  }

  get isCut (): boolean {
    return this.transport.isCut
  }

  send (data: string | Buffer): void { this.transport.send(data) }
  close (code: number, reason: string): void { this.transport.leave(code, reason) }
  vanish (): void { this.transport.vanish() }
  stall (): void { this.transport.stall() }
  read (): void { this.transport.read() }
}

export class WebSocketClient implements Client {
  readonly transport: WebSocketTransport
  readonly #socket = new FakeClient()

  constructor ({ relay, settings }: Rig) {
    const socket = this.#socket
    this.transport = new WebSocketTransport({ server: relay, socket, settings, deflate: undefined })
    socket.answersClose = true
    socket.on('error', () => {})
    // A client ends its side when the server has ended the other.
    socket.on('finish', () => { socket.ends() })
  }

  get texts (): readonly string[] {
    return this.#socket.texts
  }

  get seen (): Client['seen'] {
    return this.#socket.seen
  }

  get isCut (): boolean {
    return this.#socket.destroyed && this.seen === undefined
  }

  /** It answers no ping from now on. */
  fallSilent (): void {
    this.#socket.answers = false
  }

  send (data: string | Buffer): void {
    const frame = typeof data === 'string' ? textOf(data) : frameOf(opcodes.binary, data)
    this.#socket.sends(frame)
  }

  /** Sends all of them in one write. */
  sendAll (texts: readonly string[]): void {
    this.#socket.sends(Buffer.concat(texts.map(textOf)))
  }

  close (code: number, reason: string): void { this.#socket.sends(closeOf(code, reason)) }
  vanish (): void { this.#socket.resets() }
  stall (): void { this.#socket.stalls() }
  read (): void { this.#socket.reads() }
}

/** The transports that a connection must behave alike with. */
export const transports: ReadonlyArray<readonly [name: string, connect: (rig: Rig) => Client]> = [
  ['a WebSocket', (rig) => new WebSocketClient(rig)],
  ['a transport in memory', (rig) => new MemoryClient(rig)]
]
