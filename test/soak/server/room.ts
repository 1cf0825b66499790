import { until } from '../rig/until.js'
import { clientOf, Tally, type Stage } from './stage.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'

/** Clients with this number or a higher one read slowly. */
export const firstSlow = 1000
const group = 'room'
const payload = 'x'.repeat(16 * 1024)
/** The number of broadcasts after which the room waits for the fast readers. */
const perBreath = 16

/** A room with more broadcasts than a slow client can read. */
export class Room implements Stage {
  readonly tally = new Tally()
  readonly relay = {}
  readonly #processes: Processes
  readonly #clients = new Map<Pid, number>()
  readonly #room: Pid
  #told = 0

  constructor (processes: Processes) {
    this.#processes = processes
    this.#room = processes.spawn((self) => this.#serve(self))
  }

  targetFor (): Pid {
    return this.#room
  }

  /** Broadcasts numbered messages as fast as the fast members read them. */
  async tell (count: number): Promise<void> {
    const fast = [...this.#clients.keys()].filter((pid) => this.#clients.get(pid)! < firstSlow)
    const { groups, info } = this.#processes
    const taken = (): boolean => fast.every((pid) => (info(pid)?.buffered ?? 0) === 0)
    for (let i = 0; i < count; i++) {
      groups.broadcast(group, 'ws.send', { data: `0:${this.#told++}:${payload}` })
      if (i % perBreath === 0) await until(taken)
    }
    await until(taken)
  }

  /** The dropped frames of each connected client. */
  dropped (): Record<string, number> {
    return Object.fromEntries(
      Array.from(this.#clients, ([pid, client]) => [
        client,
        this.#processes.info(pid)!.dropped as number
      ])
    )
  }

  #serve (self: Process): Promise<void> {
    const { tally } = this
    return self.serve({
      'ws.join': (join) => {
        tally.joins++
        this.#clients.set(join.client_pid, clientOf(join))
        self.groups.join(group, join.client_pid)
      },
      'ws.message': () => { tally.problems.add('nobody speaks here') },
      'ws.leave': ({ client_pid, cause, metadata }) => {
        tally.left(cause)
        if (!this.#clients.delete(client_pid)) {
          tally.problems.add(`${client_pid} left without having joined`)
        }
        if (cause === 'slow' && (metadata.client as number) < firstSlow) {
          tally.problems.add(`client ${String(metadata.client)} reads fast, and was called slow`)
        }
      }
    })
  }
}
