// Processes that fail in all ways, and record what they have handled.
import { isOrderly } from '../../../lib/process/exits/exit-signals.js'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { AnyMessage } from '../../process/helpers.js'
import type { Exit } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'

/**
 * - `steady`: handles all that it gets
 * - `fails in join`: throws in its first handler of `ws.join`
 * - `slow end`: once it has stopped, it waits until the history lets it end
 * - `deaf`: takes no message
 */
export type RoomKind = 'steady' | 'fails in join' | 'slow end' | 'deaf'

/** A message of a client that a room has handled. */
export interface Handled {
  readonly topic: string
  readonly client: Pid
  readonly payload: any
}

export class Room {
  readonly pid: Pid
  readonly kind: RoomKind
  readonly handled: Handled[] = []
  /** Messages of the history itself: accepted, and handled. */
  orders = { accepted: 0, handled: 0 }
  exit: Exit | undefined
  /** Called once, when the room takes no more mail. */
  readonly #refuses: (room: Room) => void
  readonly #processes: Processes
  readonly #runtime: Runtime
  #hasRefused = false
  #isCancelled = false
  #held: Promise<void> | undefined
  #release: (() => void) | undefined
  #end!: (err?: Error) => void
  readonly #ending = new Promise<Error | undefined>((resolve) => { this.#end = resolve })

  constructor (
    processes: Processes, runtime: Runtime, name: string, kind: RoomKind,
    refuses: (room: Room) => void
  ) {
    this.kind = kind
    this.#processes = processes
    this.#runtime = runtime
    this.#refuses = refuses
    this.pid = processes.spawn((self) => this.#run(self), { name })
    // Monitored before any connection knows the room: its exit is known here first.
    runtime.exitSignals.monitor(this.pid, {
      targetEnded: (exit) => {
        this.exit = exit
        this.#refusesMail()
      }
    })
  }

  async #run (self: Process): Promise<void> {
    if (this.kind !== 'deaf') {
      await self.serve({}, (message: AnyMessage) => this.#handle(self, message))
    }
    if (this.kind === 'deaf' || this.kind === 'slow end') {
      const err = await this.#ending
      if (err !== undefined) throw err
    }
  }

  #handle (self: Process, { topic, payload, from }: AnyMessage): Promise<void> | undefined {
    if (topic as string === 'stop') {
      this.orders.handled++
      this.#refusesMail()
      self.stop()
    }
    this.handled.push({ topic, client: from!, payload })
    const isFatal = topic as string === 'ws.join'
      ? this.kind === 'fails in join'
      : String((payload as { data?: string }).data).endsWith('crash')
    if (!isFatal) return this.#held
    this.#refusesMail()
    throw new Error('boom')
  }

  #refusesMail (): void {
    if (this.#hasRefused) return
    this.#hasRefused = true
    this.#refuses(this)
  }

  /** It is alive, and takes mail. */
  get isOpen (): boolean {
    return !this.#hasRefused
  }

  get hasFailed (): boolean {
    return this.exit !== undefined && !isOrderly(this.exit.reason)
  }

  /** Whether it takes mail, as the runtime says it. */
  get takesMail (): boolean {
    const entity = this.#runtime.processTable.getEntity(this.pid) as { refusesMail?: boolean }
    return entity?.refusesMail === false
  }

  /** `@cancel` messages that may have been lost with its mailbox: each process gets one at most. */
  get cancels (): number {
    return this.#isCancelled && !this.handled.some(({ topic }) => topic === '@cancel') ? 1 : 0
  }

  handledOf (client: Pid): Handled[] {
    return this.handled.filter((one) => one.client === client)
  }

  hold (): void {
    this.#held ??= new Promise((resolve) => { this.#release = resolve })
  }

  release (): void {
    this.#held = undefined
    this.#release?.()
  }

  stop (): void {
    if (this.takesMail && this.#processes.send(this.pid, 'stop')) this.orders.accepted++
  }

  /** The server closes, and cancels it. */
  serverCloses (): void {
    this.#isCancelled ||= this.exit === undefined
  }

  cancel (): void {
    this.#isCancelled ||= this.#processes.cancel(this.pid)
    if (!this.takesMail) this.#refusesMail()
  }

  crash (reason: string): void {
    this.#processes.exit(this.pid, reason)
  }

  /** Lets a room end that waits for it. */
  letEnd (fails: boolean): void {
    this.#end(fails ? new Error('boom') : undefined)
  }
}
