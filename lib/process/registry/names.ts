import { errorCodes, show } from '../../errors.js'
import { MultiMap } from '../../shared/multimap.js'
import type { Pid } from '../../../types/pid.js'

/** Bytes of UTF-8. Encoded for a topic or a key of an engine, and with its prefix, it is below 512. */
const maxNameBytes = 256
/** Most names: nothing else of them has to be checked. */
const plain = /^[A-Za-z0-9_.:-]{1,128}$/
/** A lone surrogate has no UTF-8: two such names would be one to an engine. */
const wellFormed = /^[^\p{Cc}\p{Cs}]+$/u
/** What stands, or will stand, for an address: a PID, `@kind/key`, an object as JSON. */
const address = /^[@{]|^\d+@[A-Za-z0-9_-]+\.[a-z0-9]+$/

const expectedGroup = '1 to 256 bytes of UTF-8 without control characters'
const expectedName = `${expectedGroup}, not beginning with '@' or '{', and not like a PID`

/** Whether a group may be called so. A group is no address: it may look like one. */
export function isGroupName (name: unknown): name is string {
  if (typeof name !== 'string') return false
  return plain.test(name) || (name.length <= maxNameBytes && wellFormed.test(name) && Buffer.byteLength(name) <= maxNameBytes)
}

/** Whether a process may be called so. */
export function isName (name: unknown): name is string {
  return isGroupName(name) && !address.test(name)
}

/** @throws `FST_PROCESS_INVALID_NAME` */
export function checkName (name: unknown): asserts name is string {
  if (!isName(name)) throw new errorCodes.FST_PROCESS_INVALID_NAME(show(name), expectedName)
}

/** @throws `FST_PROCESS_INVALID_NAME` */
export function checkGroupName (name: unknown): asserts name is string {
  if (!isGroupName(name)) throw new errorCodes.FST_PROCESS_INVALID_NAME(show(name), expectedGroup)
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

  namesOf (pid: Pid): string[] {
    return [...this.#names.get(pid)]
  }

  /** Frees every name of a PID that ended. */
  release (pid: Pid): void {
    for (const name of this.#names.takeAll(pid)) this.#pids.delete(name)
  }

  /** Names held, for the tests that count what remains. */
  get size (): number {
    return this.#pids.size + this.#names.size
  }
}
