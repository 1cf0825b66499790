import { threadId } from 'node:worker_threads'
import { errorCodes, show } from '../errors.js'
import type { Pid } from '../../types/pid.js'

const shape = /^[1-9]\d{0,15}@([A-Za-z0-9_-]{1,64})\.[a-z0-9]{1,16}$/
const lastIncarnation = Symbol.for('fastify-ws-relay.incarnation')
const shared = globalThis as { [lastIncarnation]?: number }

/** Threads have different incarnations: those of one leave this remainder by the number. */
const threads = 64
const remainder = threadId % threads

/**
 * A new incarnation, higher than all others of this thread. Two process systems of one
 * operating-system process therefore never make the same PID, even when the package is loaded
 * twice: threads share no memory, so each has the milliseconds of its own remainder.
 */
function nextIncarnation (now: number): number {
  const lowest = Math.max(now, (shared[lastIncarnation] ?? 0) + 1)
  const incarnation = Math.ceil((lowest - remainder) / threads) * threads + remainder
  shared[lastIncarnation] = incarnation
  return incarnation
}

/** Makes the PIDs of one node, and recognizes those of other nodes. */
export class PidFactory {
  readonly node: string
  /** The start time in milliseconds, or a little higher. In a PID it is written in base 36. */
  #incarnation!: number
  #suffix!: string
  #serial = 0
  /** The serial without its last two digits. */
  #head = ''
  /** All two-digit endings with the suffix. PIDs share these strings, which saves memory. */
  #tails!: readonly string[]

  constructor (node: string) {
    this.node = node
    this.#setIncarnation(nextIncarnation(Date.now()))
  }

  get incarnation (): number {
    return this.#incarnation
  }

  /** The serial number of the last PID. Reading it off the PID would cost the memory of a copy. */
  get lastSerial (): number {
    return this.#serial
  }

  /**
   * Takes a higher incarnation, because other nodes know an earlier one of this node, and the
   * highest one wins. It takes exactly this one, because the other nodes expect it in PIDs.
   * @throws when a PID was made already: it would not be a PID of this node any more
   */
  bumpIncarnation (confirmed: number): void {
    if (this.#serial > 0) throw new Error('a PID was made already')
    if (confirmed <= this.#incarnation) return
    shared[lastIncarnation] = Math.max(confirmed, shared[lastIncarnation]!)
    this.#setIncarnation(confirmed)
  }

  #setIncarnation (incarnation: number): void {
    this.#incarnation = incarnation
    this.#suffix = `@${this.node}.${incarnation.toString(36)}`
    this.#tails = Array.from({ length: 100 }, (_, digits) => {
      return [String(digits).padStart(2, '0'), this.#suffix].join('')
    })
  }

  nextPid (): Pid {
    const serial = ++this.#serial
    if (serial < 100) return `${serial}${this.#suffix}` as Pid
    const digits = serial % 100
    if (digits === 0) this.#head = String(serial / 100)
    return this.#head + this.#tails[digits] as Pid
  }

  /** Whether a PID, dead or alive, is of this node: of this start, or of an earlier one. */
  hasMade (pid: Pid): boolean {
    const match = shape.exec(pid)
    if (match === null || match[1] !== this.node) return false
    if (pid.endsWith(this.#suffix)) return serialNumberOf(pid) <= this.#serial
    return parseInt(pid.slice(pid.lastIndexOf('.') + 1), 36) < this.#incarnation
  }

  /** Whether a PID belongs to another node. This is the only place that decides it. */
  isRemote (pid: string): boolean {
    if (pid.endsWith(this.#suffix)) return false
    const match = shape.exec(pid)
    return match !== null && match[1] !== this.node
  }
}

/** @throws `FST_PROCESS_INVALID_PID` for anything but a string */
export function checkAddress (to: unknown): asserts to is string {
  if (typeof to !== 'string') throw new errorCodes.FST_PROCESS_INVALID_PID(show(to))
}

/** The serial number of a PID. Later PIDs of a node have higher ones. */
export function serialNumberOf (pid: Pid): number {
  return Number(pid.slice(0, pid.indexOf('@')))
}

/** Whether a string has the shape of a PID, dead or alive, of any node. */
export function isPid (value: unknown): value is Pid {
  return typeof value === 'string' && value.length <= 128 && shape.test(value)
}
