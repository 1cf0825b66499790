import { serialNumberOf } from '../pid.js'
import type { EndCause, EndError } from '../../../types/explain.js'
import type { ProcessInfo } from '../../../types/info.js'
import type { ExitReason } from '../../../types/messages.js'
import type { Pid } from '../../../types/pid.js'

/** Ends that share a record are remembered by their serial: so many for each record, on average. */
const membersPerRecord = 32

/** The time of an end whose turn is not over. */
export const unknownTime = -1

/**
 * An end that is remembered. Records are used again, and have no heap numbers: a process may live
 * for less than a microsecond, and has to pay for its end, too.
 */
export class EndRecord {
  pid = '' as Pid
  kind: ProcessInfo['kind'] = 'process'
  label = ''
  name: string | undefined
  // Whole milliseconds, by the clock of the runtime.
  startedAt = 0
  time = unknownTime
  reason: ExitReason = 'normal'
  cause: EndCause = 'returned'
  because: Pid | undefined
  by: Pid | undefined
  error: EndError | undefined
  closing = false
  // Of a connection
  code: number | undefined
  closeReason: string | undefined
  target: Pid | undefined
  away: number | undefined
  // Set by the log
  /** Further ends of the same cause. Undefined if there can be none. */
  further: FurtherEnds | undefined
  /** The process that was started in its place. */
  successor: Successor | undefined
}

interface Successor {
  readonly pid: Pid
  /** By the clock of the runtime. */
  readonly time: number
}

/** The ends that share a record with the first one. */
class FurtherEnds {
  /** Ends with this key share the record. */
  readonly key: string
  count = 0
  /** The serial and the uptime of each end, as long as they are remembered. */
  readonly members: number[] = []

  constructor (key: string) {
    this.key = key
  }
}

/** The number of ends of a record. */
export function countOf ({ further }: EndRecord): number {
  return 1 + (further?.count ?? 0)
}

/** The uptime of an end; undefined if it is not one of the record. */
export function uptimeOf (record: EndRecord, pid: Pid): number | undefined {
  if (pid === record.pid) return record.time - record.startedAt
  const members = record.further?.members ?? []
  const serial = serialNumberOf(pid)
  for (let i = 0; i < members.length; i += 2) if (members[i] === serial) return members[i + 1]
  return undefined
}

/**
 * The last ends of one node: of its processes, or of its connections. Ends of one cause share a
 * record: a room with a thousand connections must not push its own end out.
 *
 * Adding an end needs no search. `find` searches, because it is rarely called.
 */
export class EndLog {
  /** To be filled and added for the next end. It is not empty. */
  nextRecord = new EndRecord()
  readonly #limit: number
  readonly #records: EndRecord[] = []
  /** The place of the oldest record, as soon as there are as many as the limit. */
  #oldest = 0
  #latest: EndRecord | undefined
  /** The records that more ends may share. */
  readonly #shared = new Map<string, EndRecord>()
  #members = 0

  /** @param limit of the records, above 0 */
  constructor (limit: number) {
    this.#limit = limit
  }

  /** @param record it belongs to the log from now on */
  add (record: EndRecord): void {
    record.further = record.successor = undefined
    if (isShareable(record) && this.#join(record)) return
    this.#latest = record
    if (this.#records.length < this.#limit) {
      this.#records.push(record)
      this.nextRecord = new EndRecord()
      return
    }
    const oldest = this.#records[this.#oldest]
    this.#forget(oldest)
    this.#records[this.#oldest] = record
    this.nextRecord = oldest
    if (++this.#oldest === this.#limit) this.#oldest = 0
  }

  /** Sets the time of the latest ends, as far as it is not known. */
  setTime (time: number): void {
    const { length } = this.#records
    for (let i = 1; i <= length; i++) {
      const record = this.#records[(this.#oldest + length - i) % length]
      if (record.time !== unknownTime) return
      record.time = time
    }
  }

  /** @returns false if the end needs the record, which later ends may share */
  #join (record: EndRecord): boolean {
    const latest = this.#latest
    // In most cases the ends of one cause follow one another.
    if (latest?.further !== undefined && haveOneCause(latest, record)) {
      this.#addMember(latest.further, record)
      return true
    }
    const key = keyOf(record)
    const further = this.#shared.get(key)?.further
    if (further !== undefined) {
      this.#addMember(further, record)
      return true
    }
    record.further = new FurtherEnds(key)
    this.#shared.set(key, record)
    return false
  }

  #addMember (further: FurtherEnds, { pid, startedAt, time }: EndRecord): void {
    further.count++
    further.members.push(serialNumberOf(pid), time - startedAt)
    if (++this.#members > this.#limit * membersPerRecord) this.#forgetMembers()
  }

  /** The oldest record that has members forgets the older half of them. */
  #forgetMembers (): void {
    const { members } = this.records.find(({ further }) => {
      return further !== undefined && further.members.length > 0
    })!.further!
    const forgotten = Math.ceil(members.length / 4)
    members.splice(0, 2 * forgotten)
    this.#members -= forgotten
  }

  #forget ({ further }: EndRecord): void {
    if (further === undefined) return
    this.#members -= further.members.length / 2
    this.#shared.delete(further.key)
  }

  /** The oldest first. */
  get records (): EndRecord[] {
    return [...this.#records.slice(this.#oldest), ...this.#records.slice(0, this.#oldest)]
  }

  find (pid: Pid): EndRecord | undefined {
    return this.#records.find((record) => uptimeOf(record, pid) !== undefined)
  }

  /** A process was started in the place of one that has ended. */
  restarted (previous: Pid, pid: Pid, time: number): void {
    const record = this.#records.find((record) => record.pid === previous)
    if (record !== undefined) record.successor = { pid, time }
  }
}

/** Whether other ends may share the record of this one. */
export function isShareable ({ cause, because, by, closing }: EndRecord): boolean {
  if (because === undefined && by === undefined && !closing) return false
  // Siblings are restarted, each as another process. Failures differ in their errors.
  return cause !== 'sibling' && cause !== 'failed'
}

/** Ends with the same key share a record. */
function keyOf (record: EndRecord): string {
  const { label, reason, cause, because, by, code, closeReason, target, closing } = record
  const pids = `${because} ${by} ${target}`
  return `${pids} ${cause} ${label} ${code} ${closing} ${reason} ${closeReason}`
}

/** The same decision without a key, which takes a microsecond to make. */
function haveOneCause (one: EndRecord, other: EndRecord): boolean {
  return one.because === other.because && one.by === other.by && one.target === other.target &&
    one.cause === other.cause && one.label === other.label && one.code === other.code &&
    one.reason === other.reason && one.closeReason === other.closeReason &&
    one.closing === other.closing
}
