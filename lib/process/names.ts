import { errorCodes, show } from '../errors.js'
import { MultiMap } from './multimap.js'
import type { Pid } from '../../types/pid.js'

const shape = /^[A-Za-z0-9_.:-]{1,128}$/

export function isName (name: unknown): name is string {
  return typeof name === 'string' && shape.test(name)
}

/** @throws `FST_PROCESS_INVALID_NAME` */
export function checkName (name: unknown): asserts name is string {
  if (!isName(name)) throw new errorCodes.FST_PROCESS_INVALID_NAME(show(name))
}

/** Which PID has which name. A name is held by one, and free again when that one ends. */
export class NameTable {
  readonly #pids = new Map<string, Pid>()
  readonly #names = new MultiMap<Pid, string>()

  /** @throws `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_NAME_TAKEN` */
  checkFree (name: string): void {
    checkName(name)
    if (this.#pids.has(name)) throw new errorCodes.FST_PROCESS_NAME_TAKEN(name)
  }

  register (name: string, pid: Pid): void {
    this.checkFree(name)
    this.#pids.set(name, pid)
    this.#names.add(pid, name)
  }

  unregister (name: string): boolean {
    const pid = this.#pids.get(name)
    if (pid === undefined) return false
    this.#pids.delete(name)
    return this.#names.delete(pid, name)
  }

  lookup (name: string): Pid | undefined {
    return this.#pids.get(name)
  }

  of (pid: Pid): string[] {
    return [...this.#names.get(pid)]
  }

  /** Frees every name of a PID that ended. */
  release (pid: Pid): void {
    for (const name of this.#names.take(pid)) this.#pids.delete(name)
  }

  /** Names held, for the tests that count what remains. */
  get size (): number {
    return this.#pids.size + this.#names.size
  }
}
