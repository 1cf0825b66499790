// The processes of one history of visits, with the mail that they have accepted and handled.
import type { Target } from '../../../lib/process/entity.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'
import type { AnyMessage } from '../../process/helpers.js'

/** The time in which a process has one client: its join, and the numbers of its messages. */
export interface Visit {
  readonly room: Room
  readonly numbers: number[]
  /** The messages of the visit before, which has ended without its join, come again. */
  readonly takesOver: Visit | undefined
  /** Whether the join was handled. */
  hasJoined: boolean
  hasLeft: boolean
  /** Mail of this visit that was handled. */
  handled: number
  /** Mail that was accepted: the join, the messages, and the leave. */
  accepted: number
}

/** Learns of each message that a process accepts. */
export interface Witness {
  joined (room: Room, client: Pid, rejoined: boolean): void
  said (room: Room, client: Pid, number: number): void
  left (room: Room, client: Pid): void
  handled (room: Room, topic: string, client: Pid, number: number): void
}

interface ClientPayload {
  readonly data?: string
  readonly rejoined?: true
}

export class Room {
  readonly pid: Pid
  /** Undefined for a process without a key. */
  readonly key: string | undefined
  exit: Exit | undefined
  /** Its code runs or has run. Before, it has a mailbox only. */
  hasStarted = false
  readonly #witness: Witness
  #held: Promise<void> | undefined
  #release: (() => void) | undefined

  constructor (runtime: Runtime, entity: Target, key: string | undefined, witness: Witness) {
    const { pid } = entity
    this.pid = pid
    this.key = key
    this.#witness = witness
    const accept = entity.accept.bind(entity)
    entity.accept = (topic, payload, from, bytes, call) => {
      const isAccepted = accept(topic, payload, from, bytes, call)
      if (isAccepted) this.#accepted(topic, payload as ClientPayload, from)
      return isAccepted
    }
    runtime.exitSignals.monitor(pid, { targetEnded: (exit) => { this.exit = exit } })
  }

  #accepted (topic: string, { data, rejoined }: ClientPayload, client: Pid): void {
    if (topic === 'ws.join') this.#witness.joined(this, client, rejoined === true)
    if (topic === 'ws.message') this.#witness.said(this, client, parseInt(data!))
    if (topic === 'ws.leave') this.#witness.left(this, client)
  }

  async serve (self: Process): Promise<void> {
    await self.serve({}, (message: AnyMessage) => this.#handle(self, message))
  }

  #handle (self: Process, { topic, payload, from }: AnyMessage): Promise<void> | undefined {
    const { data = '' } = payload as ClientPayload ?? {}
    if (topic.startsWith('ws.')) this.#witness.handled(this, topic, from!, parseInt(data))
    if (topic === 'stop' || data.endsWith('stop')) self.stop()
    if (data.endsWith('crash')) throw new Error('boom')
    return this.#held
  }

  hold (): void {
    this.#held ??= new Promise((resolve) => { this.#release = resolve })
  }

  release (): void {
    this.#held = undefined
    this.#release?.()
  }
}
