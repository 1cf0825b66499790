import type { RegisterEntry, Transport } from '../../../types/cluster.js'

/** What a transport is for its hub. */
export interface HubMember extends Transport {
  /** The hub can be reached now, or no longer. */
  setReachable (yes: boolean): void
  isSubscribed (topic: string): boolean
  deliver (topic: string, frame: Uint8Array): void
}

/** Something that the hub does for a member, in its turn. */
interface Task {
  readonly member: HubMember
  readonly bytes: number
  readonly run: () => void
  /** It did not run, and never will. */
  readonly lost: () => void
}

/** Bytes that wait to be delivered before the hub takes no more. */
const mostBytes = 16 * 1024 * 1024

/**
 * The engine in the memory of this OS process: what `nats-server` is for `nats(…)`. It does one thing
 * after another, in the order asked for, each in a later turn of the event loop. `stop`, `start`,
 * `clear`, `cut` and `mend` do to it what happens to real engines, for tests.
 */
export class MemoryHub {
  readonly #members = new Set<HubMember>()
  readonly #cutOff = new Set<Transport>()
  readonly #register = new Map<string, RegisterEntry>()
  #tasks: Task[] = []
  #bytes = 0
  #revision = 0
  #running = true
  #durable = true
  #scheduled = false

  /** The engine goes away: what it was about to do is lost, the register stays. */
  stop (): void {
    this.#running = false
    this.#updateMembers()
  }

  /** The engine is back. */
  start (): void {
    this.#running = true
    this.#updateMembers()
  }

  /** Whether the register has all that it ever took. @internal */
  get durable (): boolean {
    return this.#durable
  }

  /** The engine loses its register. Revisions begin at 1 again, as those of a new engine do. */
  clear (): void {
    this.#register.clear()
    this.#durable = false
    this.#revision = 0
  }

  /** Cuts one node off, `engine.transport`: neither side hears of the other. */
  cut (transport: Transport): void {
    this.#cutOff.add(transport)
    this.#updateMembers()
  }

  mend (transport: Transport): void {
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

  /** Does something in its turn. @returns false: there is too much to do already @internal */
  enqueueTask (member: HubMember, bytes: number, run: () => void, lost: () => void): boolean {
    if (bytes > 0 && this.#bytes + bytes > mostBytes) return false
    this.#tasks.push({ member, bytes, run, lost })
    this.#bytes += bytes
    this.#schedule()
    return true
  }

  /** @internal */
  deliver (topic: string, frame: Uint8Array): void {
    // A copy each: no node sees what another one does to its bytes.
    for (const member of this.#members) if (this.#reaches(member) && member.isSubscribed(topic)) member.deliver(topic, frame.slice())
  }

  /** @internal */
  hasSubscriber (topic: string): boolean {
    return [...this.#members].some((member) => this.#reaches(member) && member.isSubscribed(topic))
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

  #reaches (member: Transport): boolean {
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

  #schedule (): void {
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#runTasks()
    })
  }

  #runTasks (): void {
    // What is asked for meanwhile waits for the next turn: a ring of answers must not starve the loop.
    for (let left = this.#tasks.length; left > 0 && this.#tasks.length > 0; left--) {
      const task = this.#tasks.shift() as Task
      this.#bytes -= task.bytes
      task.run()
    }
  }
}
