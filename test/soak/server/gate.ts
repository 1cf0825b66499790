import { isContent } from '../content.js'
import { until } from '../rig/until.js'
import { clientOf, Tally, type Stage } from './stage.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'

/** A target that pauses in the middle of a flood until it is released. */
export class Gate implements Stage {
  readonly tally = new Tally()
  readonly relay = {}
  readonly #processes: Processes
  readonly #guests = new Map<Pid, { client: number, next: number }>()
  readonly #gate: Pid
  #held: Promise<void> | undefined
  #release = (): void => {}

  constructor (processes: Processes) {
    this.#processes = processes
    this.#gate = processes.spawn((self) => this.#serve(self))
    this.#held = new Promise((resolve) => { this.#release = resolve })
  }

  targetFor (): Pid {
    return this.#gate
  }

  /** Resolves when all clients are paused. */
  async full (): Promise<{ paused: number, mailbox: number }> {
    const paused = (): number =>
      [...this.#guests.keys()].filter((pid) => this.#processes.info(pid)!.paused).length
    await until(() => paused() === this.#guests.size)
    return { paused: paused(), mailbox: this.#processes.info(this.#gate)!.mailbox }
  }

  release (): void {
    this.#held = undefined
    this.#release()
  }

  #serve (self: Process): Promise<void> {
    const { tally } = this
    return self.serve({
      'ws.join': (join) => {
        tally.joins++
        this.#guests.set(join.client_pid, { client: clientOf(join), next: 0 })
      },
      'ws.message': ({ client_pid, type, data }) => {
        const guest = this.#guests.get(client_pid)
        if (guest === undefined) {
          tally.problems.add(`a message of ${client_pid} before its join or after its leave`)
        } else if (!isContent(data, type === 'binary', guest.client, guest.next++)) {
          tally.problems.add(
            `client ${guest.client}: '${data.toString('utf8', 0, 40)}' ` +
              `instead of its message ${guest.next - 1}`
          )
        }
        tally.messages++
        return this.#held
      },
      'ws.leave': ({ client_pid, cause }) => {
        tally.left(cause)
        if (!this.#guests.delete(client_pid)) {
          tally.problems.add(`${client_pid} left without having joined`)
        }
      }
    })
  }
}
