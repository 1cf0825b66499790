import { errorCodes, show } from '../../errors.js'
import { checkAddress, isPid } from '../pid.js'
import { isKeyAddress } from '../keyed/address.js'
import { isName } from './names.js'
import type { NameTable } from './names.js'
import type { Entity } from '../entity.js'
import type { Pid } from '../../../types/pid.js'

/** The live processes and connections of this node, oldest first. */
export class ProcessTable {
  readonly #names: NameTable
  readonly #entities = new Map<string, Entity>()

  constructor (names: NameTable) {
    this.#names = names
  }

  addEntity (entity: Entity): void {
    this.#entities.set(entity.pid, entity)
  }

  removeEntity (pid: Pid): void {
    this.#entities.delete(pid)
  }

  /** The live entity with a PID or a name of this node. @throws `FST_PROCESS_INVALID_PID` */
  findEntity (to: string): Entity | undefined {
    const entity = this.#entities.get(to)
    if (entity !== undefined) return entity
    checkAddress(to)
    const pid = this.#names.lookup(to)
    return pid === undefined ? undefined : this.#entities.get(pid)
  }

  getEntity (pid: Pid): Entity | undefined {
    return this.#entities.get(pid)
  }

  /**
   * The PID for a PID, a name or the address of a key, dead or alive. A name or an address without
   * a process is returned as is, and treated as a dead PID.
   * @throws `FST_PROCESS_INVALID_PID` for other strings
   */
  resolvePid (to: string): Pid {
    const entity = this.findEntity(to)
    if (entity !== undefined) return entity.pid
    if (isPid(to) || isName(to) || isKeyAddress(to)) return to as Pid
    throw new errorCodes.FST_PROCESS_INVALID_PID(show(to))
  }

  get entities (): IterableIterator<Entity> {
    return this.#entities.values()
  }

  pids (): Pid[] {
    return Array.from(this.#entities.values(), ({ pid }) => pid)
  }

  get size (): number {
    return this.#entities.size
  }
}
