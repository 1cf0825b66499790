import { errorCodes } from '../../../lib/errors.js'
import { isContent, numberOf } from '../content.js'
import { clientOf, Tally, type Stage } from './stage.js'
import type { Metadata } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'

const targets = 6
/** One of 10 messages moves its client. One of 10 moves names a target that has ended. */
const messagesPerMove = 10
const movesPerRefusal = 10

/** The messages of a client to one target between join and leave. */
interface Stint { client: number, first: number, count: number }

/** Targets that transfer their clients to each other while messages arrive. */
export class Movers implements Stage {
  readonly tally = new Tally()
  readonly relay = {}
  refused = 0
  readonly #processes: Processes
  readonly #pids: readonly Pid[]
  readonly #gone: Pid
  readonly #stints = new Map<number, Stint[]>()
  #moves = 0

  constructor (processes: Processes) {
    this.#processes = processes
    this.#pids = Array.from({ length: targets }, () => processes.spawn((self) => this.#move(self)))
    this.#gone = processes.spawn(() => {})
  }

  targetFor (client: number): Pid {
    return this.#pids[client % targets]
  }

  get targetIsGone (): boolean {
    return !this.#processes.alive(this.#gone)
  }

  /**
   * Joins the stints of each client.
   * @returns the number of messages in sequences without gaps and repetitions
   */
  judge (): number {
    let inSequence = 0
    for (const [client, stints] of this.#stints) {
      stints.sort((one, other) => one.first - other.first)
      let next = 0
      for (const { first, count } of stints) {
        if (first !== next) {
          this.tally.problems.add(`client ${client}: message ${first} where ${next} had to come`)
        }
        next = first + count
      }
      inSequence += next
    }
    return inSequence
  }

  #move (self: Process): Promise<void> {
    const { tally } = this
    const here = new Map<Pid, Stint>()
    const known = (pid: Pid, metadata: Metadata): Stint | undefined => {
      const stint = here.get(pid)
      if (stint === undefined) {
        tally.problems.add(`something of ${pid} before its join or after its leave`)
      } else if (this.#intended(metadata) !== self.pid) {
        tally.problems.add(`client ${stint.client}: the metadata of another target`)
      }
      return stint
    }
    return self.serve({
      'ws.join': (join) => {
        tally.joins++
        if (here.has(join.client_pid)) tally.problems.add(`${join.client_pid} joined twice`)
        here.set(join.client_pid, { client: clientOf(join), first: 0, count: 0 })
        known(join.client_pid, join.metadata)
      },
      'ws.message': ({ client_pid, type, data, metadata }) => {
        tally.messages++
        const stint = known(client_pid, metadata)
        if (stint === undefined) return
        const n = numberOf(data)
        if (stint.count++ === 0) stint.first = n
        if (!isContent(data, type === 'binary', stint.client, stint.first + stint.count - 1)) {
          tally.problems.add(
            `client ${stint.client}: '${data.toString('utf8', 0, 40)}' ` +
              `instead of its message ${stint.first + stint.count - 1}`
          )
        }
        self.send(client_pid, 'ws.send', { data: String(n) })
        if (Math.random() < 1 / messagesPerMove) this.#handOver(self, client_pid, stint.client)
      },
      'ws.leave': ({ client_pid, cause, metadata }) => {
        tally.left(cause)
        const stint = known(client_pid, metadata)
        here.delete(client_pid)
        if (stint === undefined || stint.count === 0) return
        const stints = this.#stints.get(stint.client)
        if (stints === undefined) this.#stints.set(stint.client, [stint])
        else stints.push(stint)
      }
    })
  }

  /** Transfers a client to any other target, also when another target has it already. */
  #handOver (self: Process, pid: Pid, client: number): void {
    const move = ++this.#moves
    if (move % movesPerRefusal === 0) {
      self.call(pid, 'ws.control', { target_pid: this.#gone, metadata: { client: -1 } }).then(
        () => { this.tally.problems.add(`client ${client} was moved to a target that is gone`) },
        (err: Error) => {
          this.refused++
          if (!(err instanceof errorCodes.FST_WS_RELAY_TRANSFER_REFUSED)) {
            this.tally.problems.add(`a transfer to nobody: ${err.message}`)
          }
        }
      )
      return
    }
    const others = this.#pids.filter((other) => other !== self.pid)
    const target = others[move % others.length]
    self.send(pid, 'ws.control', { target_pid: target, metadata: { client, target } })
  }

  /** The target for messages with this metadata. */
  #intended (metadata: Metadata): unknown {
    return metadata.target ?? this.targetFor(metadata.client as number)
  }
}
