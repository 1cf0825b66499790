import { Ring } from '../../shared/ring.js'
import { serialNumberOf } from '../pid.js'
import type { EndCause, EndError } from '../../../types/explain.js'
import type { ProcessInfo } from '../../../types/info.js'
import type { ExitReason } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** Ends that share a record are remembered by their serial: so many for each record, on average. */
const membersPerRecord = 32

/** The facts of one end. */
export interface EndFacts {
  readonly pid: Pid
  readonly kind: ProcessInfo['kind']
  readonly label: string
  readonly name: string | undefined
  /** By the clock of the runtime. */
  readonly time: number
  /** Milliseconds. */
  readonly uptime: number
  readonly reason: ExitReason
  readonly cause: EndCause
  readonly because: Pid | undefined
  readonly by: Pid | undefined
  readonly error: EndError | undefined
  readonly closing: boolean
  readonly code: number | undefined
  readonly closeReason: string | undefined
  readonly target: Pid | undefined
  readonly away: number | undefined
}

/** An end that is remembered, together with others of the same cause. */
export class EndRecord {
  readonly facts: EndFacts
  /** Undefined if it has no other ends. */
  readonly key: string | undefined
  /** The number of ends. */
  count = 1
  /** The serial and the uptime of each further end, as long as they are remembered. */
  readonly members: number[] = []
  restartedAs: Pid | undefined
  /** By the clock of the runtime. */
  restartedTime = 0

  constructor (facts: EndFacts, key: string | undefined) {
    this.facts = facts
    this.key = key
  }

  /** The uptime of an end; undefined if it is not one of this record. */
  uptimeOf (pid: Pid): number | undefined {
    if (pid === this.facts.pid) return this.facts.uptime
    const { members } = this
    const serial = serialNumberOf(pid)
    for (let i = 0; i < members.length; i += 2) if (members[i] === serial) return members[i + 1]
    return undefined
  }
}

/**
 * The last ends of one node: of its processes, or of its connections. Ends of one cause share a
 * record: a room with a thousand connections must not push its own end out.
 *
 * An end costs one object, and no search. `find` searches, because it is rarely called.
 */
export class EndLog {
  readonly #limit: number
  readonly #records = new Ring<EndRecord>()
  #latest: EndRecord | undefined
  /** The records that more ends may share. */
  readonly #shared = new Map<string, EndRecord>()
  #members = 0

  /** @param limit of the records */
  constructor (limit: number) {
    this.#limit = limit
  }

  add (facts: EndFacts): void {
    // In most cases the ends of one cause follow one another.
    if (this.#latest !== undefined && haveOneCause(this.#latest.facts, facts)) {
      this.#addMember(this.#latest, facts)
      return
    }
    const key = isShareable(facts) ? keyOf(facts) : undefined
    const shared = key === undefined ? undefined : this.#shared.get(key)
    if (shared !== undefined) {
      this.#addMember(shared, facts)
      return
    }
    const record = new EndRecord(facts, key)
    this.#latest = record
    this.#records.enqueue(record)
    if (key !== undefined) this.#shared.set(key, record)
    if (this.#records.length > this.#limit) this.#forgetOldest()
  }

  #addMember (record: EndRecord, { pid, uptime }: EndFacts): void {
    record.count++
    record.members.push(serialNumberOf(pid), uptime)
    if (++this.#members > this.#limit * membersPerRecord) this.#forgetMembers()
  }

  /** The oldest record that has members forgets the older half of them. */
  #forgetMembers (): void {
    const { members } = this.records.find(({ members }) => members.length > 0)!
    const forgotten = Math.ceil(members.length / 4)
    members.splice(0, 2 * forgotten)
    this.#members -= forgotten
  }

  #forgetOldest (): void {
    const { key, members } = this.#records.dequeue()!
    this.#members -= members.length / 2
    if (key !== undefined) this.#shared.delete(key)
  }

  /** The oldest first. */
  get records (): EndRecord[] {
    return Array.from({ length: this.#records.length }, (_, i) => this.#records.at(i))
  }

  find (pid: Pid): EndRecord | undefined {
    return this.records.find((record) => record.uptimeOf(pid) !== undefined)
  }

  /** A supervisor has started a process in the place of one that has ended. */
  restarted (previous: Pid, pid: Pid, time: number): void {
    for (let i = this.#records.length - 1; i >= 0; i--) {
      const record = this.#records.at(i)
      if (record.facts.pid !== previous) continue
      record.restartedAs = pid
      record.restartedTime = time
      return
    }
  }
}

/** Whether other ends may share the record of this one. */
function isShareable ({ cause, because, by, closing }: EndFacts): boolean {
  // Siblings are restarted, each as another process. Failures differ in their errors.
  if (cause === 'sibling' || cause === 'failed') return false
  return because !== undefined || by !== undefined || closing
}

/** Ends with the same key share a record. */
function keyOf (facts: EndFacts): string {
  const { label, reason, cause, because, by, code, closeReason, target, closing } = facts
  const pids = `${because} ${by} ${target}`
  return `${pids} ${cause} ${label} ${code} ${closing} ${reason} ${closeReason}`
}

/** The same decision without a key, which takes a microsecond to make. */
function haveOneCause (one: EndFacts, other: EndFacts): boolean {
  return one.because === other.because && one.by === other.by && one.target === other.target &&
    one.cause === other.cause && one.label === other.label && one.code === other.code &&
    one.reason === other.reason && one.closeReason === other.closeReason &&
    one.closing === other.closing && isShareable(other)
}
