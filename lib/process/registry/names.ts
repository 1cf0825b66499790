import { errorCodes, show } from '../../errors.js'
import { MultiMap } from '../../shared/multimap.js'
import type { Pid } from '../../../types/pid.js'

/** In UTF-8. Encoded as a topic or key of an engine, with its prefix, a name is then below 512. */
const maxNameBytes = 256
/** Fast path: a name of this form needs no other check. */
const plain = /^[A-Za-z0-9_.:-]{1,128}$/
/** A lone surrogate has no UTF-8 form: an engine could not tell two such names apart. */
const wellFormed = /^[^\p{Cc}\p{Cs}]+$/u
/** Forms of addresses, now or in future versions: a PID, `@kind/key`, an object as JSON. */
const address = /^[@{]|^\d+@[A-Za-z0-9_-]+\.[a-z0-9]+$/

const expectedGroup = '1 to 256 bytes of UTF-8 without control characters'
const expectedName = `${expectedGroup}, not beginning with '@' or '{', and not like a PID`

/** A group name may look like an address, because groups are never used as one. */
export function isGroupName (name: unknown): name is string {
  if (typeof name !== 'string') return false
  if (plain.test(name)) return true
  const fits = name.length <= maxNameBytes && Buffer.byteLength(name) <= maxNameBytes
  return fits && wellFormed.test(name)
}

export function isName (name: unknown): name is string {
  // A plain name has no character of an address.
  if (typeof name === 'string' && plain.test(name)) return true
  return isGroupName(name) && !address.test(name)
}

/** @throws `FST_PROCESS_INVALID_NAME` */
export function checkName (name: unknown): asserts name is string {
  if (!isName(name)) throw new errorCodes.FST_PROCESS_INVALID_NAME(show(name), expectedName)
}

/** @throws `FST_PROCESS_INVALID_NAME` */
export function checkGroupName (name: unknown): asserts name is string {
  if (isGroupName(name)) return
  throw new errorCodes.FST_PROCESS_INVALID_NAME(show(name), expectedGroup)
}

/** Waits until a name is registered. */
export interface NameWaiter {
  /** Milliseconds for which it still waits. */
  readonly timeLeft: number
  /** Called in the middle of a registration: start nothing here. It does not wait any more. */
  nameRegistered (): void
  /** Called when a key starts nothing more for a while. It does not wait any more. */
  nameRefused (): void
}

/** The registered names. A name belongs to one PID, and is free again when that PID ends. */
export class NameTable {
  readonly #pids = new Map<string, Pid>()
  readonly #names = new MultiMap<Pid, string>()
  readonly #waiters = new MultiMap<string, NameWaiter>()

  /** @throws `FST_PROCESS_INVALID_NAME`, `FST_PROCESS_NAME_TAKEN` */
  checkFree (name: string): void {
    checkName(name)
    if (this.#pids.has(name)) throw new errorCodes.FST_PROCESS_NAME_TAKEN(name)
  }

  register (name: string, pid: Pid): void {
    this.checkFree(name)
    this.bind(name, pid)
    this.wake(name)
  }

  /** Registers a name that is free, or the address of a key, and wakes nobody. */
  bind (name: string, pid: Pid): void {
    this.#pids.set(name, pid)
    this.#names.add(pid, name)
  }

  /** Tells those that wait for a name that its process may have connections. */
  wake (name: string): void {
    if (this.#waiters.size === 0) return
    for (const waiter of this.#waiters.takeAll(name)) waiter.nameRegistered()
  }

  /** Tells those that wait for a key that nothing will start. */
  refuse (address: string): void {
    for (const waiter of this.#waiters.takeAll(address)) waiter.nameRefused()
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

  firstNameOf (pid: Pid): string | undefined {
    return this.#names.first(pid)
  }

  /** Frees every name of a PID that ended. */
  release (pid: Pid): void {
    for (const name of this.#names.takeAll(pid)) this.#pids.delete(name)
  }

  /** Waits for the next registration of a name. */
  addWaiter (name: string, waiter: NameWaiter): void {
    this.#waiters.add(name, waiter)
  }

  removeWaiter (name: string, waiter: NameWaiter): void {
    this.#waiters.delete(name, waiter)
  }

  /** The shortest time for which something waits for a name, in milliseconds. */
  shortestWait (name: string): number | undefined {
    const times = Array.from(this.#waiters.get(name), ({ timeLeft }) => timeLeft)
    return times.length === 0 ? undefined : times.reduce((one, other) => Math.min(one, other))
  }

  /** The number of entries, for tests that look for leaks. */
  get size (): number {
    return this.#pids.size + this.#names.size + this.#waiters.size
  }
}
