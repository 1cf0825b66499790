import { errorCodes, show } from '../errors.js'
import type { Pid } from '../../types/pid.js'

const shape = /^[1-9]\d{0,15}@([A-Za-z0-9_-]{1,64})\.[a-z0-9]{1,16}$/
const lastIncarnation = Symbol.for('fastify-ws-relay.incarnation')
const shared = globalThis as { [lastIncarnation]?: number }

/**
 * The next incarnation: the start time, raised above the last one given, so that two
 * systems of one operating-system process never make the same PID (also when the package is
 * loaded twice).
 */
function nextIncarnation (lowest: number): number {
  const incarnation = Math.max(lowest, (shared[lastIncarnation] ?? 0) + 1)
  shared[lastIncarnation] = incarnation
  return incarnation
}

/** Makes the PIDs of one node, and tells them from others. */
export class PidFactory {
  readonly node: string
  /** The start time in milliseconds, or the next one that was free. In a PID it is in base 36. */
  #incarnation!: number
  #suffix!: string
  #serial = 0
  /** The serial without its last two digits, and what can come behind it: most of a PID is shared. */
  #head = ''
  #tails!: readonly string[]

  constructor (node: string) {
    this.node = node
    this.#setIncarnation(nextIncarnation(Date.now()))
  }

  get incarnation (): number {
    return this.#incarnation
  }

  /**
   * Takes a higher incarnation: an earlier one of this node is known elsewhere, and the highest wins.
   * @throws when a PID was made: it would not be this node's any more
   */
  bumpIncarnation (lowest: number): void {
    if (this.#serial > 0) throw new Error('a PID was made already')
    if (lowest > this.#incarnation) this.#setIncarnation(nextIncarnation(lowest))
  }

  #setIncarnation (incarnation: number): void {
    this.#incarnation = incarnation
    this.#suffix = `@${this.node}.${incarnation.toString(36)}`
    this.#tails = Array.from({ length: 100 }, (_, digits) => [String(digits).padStart(2, '0'), this.#suffix].join(''))
  }

  nextPid (): Pid {
    const serial = ++this.#serial
    if (serial < 100) return `${serial}${this.#suffix}` as Pid
    const digits = serial % 100
    if (digits === 0) this.#head = String(serial / 100)
    return this.#head + this.#tails[digits] as Pid
  }

  /** Whether a PID names another node. This is the one place that decides "here or elsewhere". */
  isRemote (pid: string): boolean {
    if (pid.endsWith(this.#suffix)) return false
    const match = shape.exec(pid)
    return match !== null && match[1] !== this.node
  }
}

/** @throws `FST_PROCESS_INVALID_PID` when it can be neither a PID nor a name */
export function checkAddress (to: unknown): asserts to is string {
  if (typeof to !== 'string') throw new errorCodes.FST_PROCESS_INVALID_PID(show(to))
}

/** Whether a string has the shape of a PID, dead or alive, of any node. */
export function isPid (value: unknown): value is Pid {
  return typeof value === 'string' && value.length <= 128 && shape.test(value)
}
