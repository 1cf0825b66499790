import type { Clock } from '../../../shared/clock.js'
import type { RegisterEntry, ClusterTransport } from '../../../../types/cluster.js'

/** A transport, as its hub sees it. */
export interface HubMember extends ClusterTransport {
  readonly clock: Clock
  /** Called when the hub becomes reachable or unreachable. */
  setReachable (yes: boolean): void
  isSubscribed (topic: string): boolean
  deliver (topic: string, frame: Uint8Array): void
}

/** Work that the hub does for a member, in the order of requests. */
interface Task {
  readonly member: HubMember
  readonly bytes: number
  readonly run: () => void
  /** Called instead of `run` if the task is dropped. */
  readonly lost: () => void
}

/** The hub accepts no more frames while this many bytes wait for delivery. */
const mostBytes = 16 * 1024 * 1024

/**
 * An engine in the memory of this OS process, as `nats-server` is the engine of `nats(…)`. It
 * executes requests in order, each in a later turn of the event loop. In tests, `stop`, `start`,
 * `clear`, `cut` and `mend` simulate the failures of a real engine.
 */
export class MemoryHub {
  readonly #members = new Set<HubMember>()
  readonly #cutOff = new Set<ClusterTransport>()
  readonly #register = new Map<string, RegisterEntry>()
  #tasks: Task[] = []
  #bytes = 0
  #revision = 0
  #running = true
  #durable = true
  #scheduled = false

  /** Makes the engine unreachable. Pending requests are lost; the register stays. */
  stop (): void {
    this.#running = false
    this.#updateMembers()
  }

  /** Makes the engine reachable again. */
  start (): void {
    this.#running = true
    this.#updateMembers()
  }

  /** Whether the register has never lost data. @internal */
  get durable (): boolean {
    return this.#durable
  }

  /** Deletes the register. Revisions begin at 1 again, as in a new engine. */
  clear (): void {
    this.#register.clear()
    this.#durable = false
    this.#revision = 0
  }

  /** Disconnects one node, given by its `engine.transport`. */
  cut (transport: ClusterTransport): void {
    this.#cutOff.add(transport)
    this.#updateMembers()
  }

  /** Connects a node again after {@link cut}. */
  mend (transport: ClusterTransport): void {
    this.#cutOff.delete(transport)
    this.#updateMembers()
  }

  /** @internal */
  addMember (member: HubMember): void {
    this.#members.add(member)
    member.setReachable(this.#reaches(member))
  }

  /** @internal */
  removeMember (member: HubMember): void {
    this.#members.delete(member)
    this.#dropTasks((task) => task.member === member)
  }

  /** Queues a request. @returns false if too many bytes wait already @internal */
  enqueueTask (member: HubMember, bytes: number, run: () => void, lost: () => void): boolean {
    if (bytes > 0 && this.#bytes + bytes > mostBytes) return false
    this.#tasks.push({ member, bytes, run, lost })
    this.#bytes += bytes
    this.#schedule(member)
    return true
  }

  /** @internal */
  deliver (topic: string, frame: Uint8Array): void {
    // Each member gets a copy, because it may change the bytes.
    for (const member of this.#members) {
      if (this.#reaches(member) && member.isSubscribed(topic)) member.deliver(topic, frame.slice())
    }
  }

  /** @internal */
  hasSubscriber (topic: string): boolean {
    const members = [...this.#members]
    return members.some((member) => this.#reaches(member) && member.isSubscribed(topic))
  }

  /** @internal */
  get (key: string): RegisterEntry | undefined {
    const entry = this.#register.get(key)
    return entry && { value: entry.value.slice(), revision: entry.revision }
  }

  /** @internal */
  cas (key: string, value: Uint8Array | undefined, revision: number): number {
    if ((this.#register.get(key)?.revision ?? 0) !== revision) return 0
    this.#revision++
    if (value === undefined) this.#register.delete(key)
    else this.#register.set(key, { value, revision: this.#revision })
    return this.#revision
  }

  #reaches (member: ClusterTransport): boolean {
    return this.#running && !this.#cutOff.has(member)
  }

  #updateMembers (): void {
    this.#dropTasks((task) => !this.#reaches(task.member))
    for (const member of [...this.#members]) member.setReachable(this.#reaches(member))
  }

  #dropTasks (which: (task: Task) => boolean): void {
    const lost = this.#tasks.filter(which)
    this.#tasks = this.#tasks.filter((task) => !which(task))
    for (const task of lost) {
      this.#bytes -= task.bytes
      task.lost()
    }
  }

  /**
   * A hub is made before its nodes and has no clock: the member whose request came first lends its
   * own. So nodes that share a hub should share a clock.
   */
  #schedule ({ clock }: HubMember): void {
    if (this.#scheduled) return
    this.#scheduled = true
    clock.later(() => {
      this.#scheduled = false
      this.#runTasks()
    })
  }

  #runTasks (): void {
    // Requests made meanwhile wait for the next turn: nodes that answer each other in a circle must
    // not block the event loop.
    for (let left = this.#tasks.length; left > 0 && this.#tasks.length > 0; left--) {
      const task = this.#tasks.shift() as Task
      this.#bytes -= task.bytes
      task.run()
    }
  }
}
