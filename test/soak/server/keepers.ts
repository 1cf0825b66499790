import { isContent } from '../content.js'
import { clientOf, Tally, type Stage } from './stage.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'
import type { RelayConfig } from '../../../types/relay.js'

interface Guest { client: number, next: number, beats: number }

/** The targets of a stage. Their mailboxes together have room for a heartbeat of each client. */
const targets = 8

export interface KeepersOptions {
  relay?: Omit<RelayConfig, 'target_pid' | 'metadata'>
  /** Whether each client has a name, is in a watched group, and is linked with its target. */
  related?: boolean
}

/** Targets that echo, monitor their clients, and check the order of their messages. */
export class Keepers implements Stage {
  readonly tally = new Tally()
  readonly relay: Stage['relay']
  readonly #guests = new Map<Pid, Guest>()
  readonly #pids: readonly Pid[]

  constructor (processes: Processes, { relay = {}, related = false }: KeepersOptions = {}) {
    this.relay = relay
    this.#pids = Array.from({ length: targets }, () =>
      processes.spawn((self) => this.#keep(self, related), { trapLinks: true })
    )
  }

  targetFor (client: number): Pid {
    return this.#pids[client % targets]
  }

  /** The smallest number of heartbeats of a connected client. */
  get leastBeats (): number {
    return Math.min(...Array.from(this.#guests.values(), ({ beats }) => beats))
  }

  #keep (self: Process, related: boolean): Promise<void> {
    const { tally } = this
    return self.serve({
      'ws.join': (join) => {
        const { client_pid } = join
        tally.joins++
        if (this.#guests.has(client_pid)) tally.problems.add(`${client_pid} joined twice`)
        this.#guests.set(client_pid, { client: clientOf(join), next: 0, beats: 0 })
        self.monitor(client_pid)
        if (related) relate(self, client_pid, clientOf(join))
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
        self.send(client_pid, 'ws.send', { type, data })
      },
      'ws.heartbeat': ({ client_pid, message_count }) => {
        const guest = this.#guests.get(client_pid)
        if (guest === undefined) {
          tally.problems.add(`a heartbeat of ${client_pid} before its join or after its leave`)
        } else {
          guest.beats++
          if (message_count !== guest.next) {
            tally.problems.add(
              `client ${guest.client}: a heartbeat counts ${message_count} messages ` +
                `instead of ${guest.next}`
            )
          }
        }
        tally.beats++
      },
      'ws.leave': ({ client_pid, cause }) => {
        tally.left(cause)
        if (!this.#guests.delete(client_pid)) {
          tally.problems.add(`${client_pid} left without having joined`)
        }
      },
      '@exit': ({ pid }) => {
        tally.exits++
        if (this.#guests.has(pid)) tally.problems.add(`${pid} ended before its leave`)
      },
      '@link_down': () => { tally.linksDown++ },
      '@group': () => {}
    })
  }
}

/** Gives a client a name, groups, a watch and a link. All must end with the client. */
function relate (self: Process, pid: Pid, client: number): void {
  self.names.register(`guest.${client}`, pid)
  self.groups.join(`guests.${client % 7}`, pid)
  self.groups.join('guests', pid)
  self.groups.watch(`guests.${client % 7}`, pid)
  self.link(pid)
}
