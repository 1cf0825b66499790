import { Top } from '../sampler/top.js'
import { contains, cut, fit, refer } from './rows.js'
import type { ConnectionDescription, Entity } from '../../process/entity.js'
import type { Runtime } from '../../process/runtime.js'
import type { ConnectionRow, ConnectionState, ProcessRow } from '../frames.js'
import type { Watch } from '../requests.js'
import type { Query } from '../sampler/sampler.js'
import type { OpenView, ViewHost } from './view.js'

type SortKey = string | number

/** An entity that has passed the filter, with the value of the column it is sorted by. */
interface Candidate {
  readonly entity: Entity
  readonly key: SortKey
  /** Its place in the order of starts. */
  readonly place: number
}

/** The entities of one view, as one pass finds them. */
abstract class EntityQuery<R> implements Query {
  total = 0
  matched = 0
  protected readonly runtime: Runtime
  protected readonly watch: Watch
  readonly #top: Top<Candidate>

  constructor (runtime: Runtime, watch: Watch) {
    const { limit, isDescending } = watch
    this.runtime = runtime
    this.watch = watch
    this.#top = new Top(limit, isDescending ? isHigher : isLower)
  }

  visit (entity: Entity): void {
    if (!this.accepts(entity)) return
    const place = this.total++
    if (!this.matches(entity)) return
    this.matched++
    const key = this.watch.column === 'started' ? place : this.keyOf(entity)
    this.#top.offer({ entity, key, place })
  }

  /** The rows of entities that are alive still. */
  rows (): R[] {
    const { processTable } = this.runtime
    const entities = this.#top.inOrder().map(({ entity }) => entity)
    const alive = entities.filter((entity) => processTable.getEntity(entity.pid) === entity)
    return fit(alive.map((entity) => this.rowOf(entity)))
  }

  protected nameOf (entity: Entity): string | undefined {
    return this.runtime.nameTable.firstNameOf(entity.pid)
  }

  protected abstract accepts (entity: Entity): boolean
  protected abstract matches (entity: Entity): boolean
  /** The value of the column; not for `started`. */
  protected abstract keyOf (entity: Entity): SortKey
  protected abstract rowOf (entity: Entity): R
}

function isHigher (one: Candidate, other: Candidate): boolean {
  return one.key === other.key ? one.place > other.place : one.key > other.key
}

/** Of equal ones, too, the newest comes first. */
function isLower (one: Candidate, other: Candidate): boolean {
  return one.key === other.key ? one.place > other.place : one.key < other.key
}

class ProcessQuery extends EntityQuery<ProcessRow> {
  protected accepts ({ kind }: Entity): boolean {
    return kind !== 'ws'
  }

  protected matches (entity: Entity): boolean {
    const { pid } = entity
    const { filter } = this.watch
    if (filter === '') return true
    const names = this.runtime.nameTable.namesOf(pid)
    return contains(filter, [entity.describe().label, pid, ...names])
  }

  protected keyOf (entity: Entity): SortKey {
    switch (this.watch.column) {
      case 'label': return entity.describe().label
      case 'name': return this.nameOf(entity) ?? ''
      case 'kind': return entity.kind
      case 'status': return entity.describe().status
      default: return entity.describe().mailbox
    }
  }

  protected rowOf (entity: Entity): ProcessRow {
    const { pid, kind } = entity
    const { label, status, mailbox, uptime } = entity.describe()
    const names = this.runtime.nameTable.namesOf(pid)
    return {
      pid,
      kind: kind as ProcessRow['kind'],
      label: cut(label),
      ...names.length > 0 && { name: cut(names[0]) },
      moreNames: Math.max(0, names.length - 1),
      status,
      mailbox,
      uptime
    }
  }
}

class ConnectionQuery extends EntityQuery<ConnectionRow> {
  protected accepts ({ kind }: Entity): boolean {
    return kind === 'ws'
  }

  protected matches (entity: Entity): boolean {
    const { filter } = this.watch
    if (filter === '') return true
    const description = entity.describe() as ConnectionDescription
    const { label, name, pid } = refer(this.runtime, description.target)
    return contains(
      filter, [entity.pid, this.nameOf(entity), stateOf(description), label, name, pid]
    )
  }

  protected keyOf (entity: Entity): SortKey {
    const description = entity.describe() as ConnectionDescription
    switch (this.watch.column) {
      case 'name': return this.nameOf(entity) ?? ''
      case 'state': return stateOf(description)
      case 'target': return this.#titleOf(description)
      case 'messages': return description.messages
      case 'buffered': return description.buffered
      default: return description.dropped
    }
  }

  #titleOf ({ target }: ConnectionDescription): string {
    const { name, label, pid } = refer(this.runtime, target)
    return name ?? label ?? pid
  }

  protected rowOf (entity: Entity): ConnectionRow {
    const name = this.nameOf(entity)
    const description = entity.describe() as ConnectionDescription
    return {
      pid: entity.pid,
      ...name !== undefined && { name: cut(name) },
      uptime: description.uptime,
      ...connectionFields(this.runtime, description)
    }
  }
}

/** The fields that only connections have. */
export function connectionFields (
  runtime: Runtime, description: ConnectionDescription
): Omit<ConnectionRow, 'pid' | 'name' | 'uptime'> {
  const { target, messages, buffered, dropped } = description
  return {
    state: stateOf(description),
    target: refer(runtime, target),
    messages,
    buffered,
    dropped
  }
}

function stateOf ({ connected, parked, limited, paused }: ConnectionDescription): ConnectionState {
  if (!connected) return 'suspended'
  if (parked) return 'parked'
  if (limited) return 'limited'
  return paused ? 'paused' : 'open'
}

export function openProcesses (host: ViewHost, watch: Watch): OpenView {
  return { next: () => answer(host, new ProcessQuery(host.runtime, watch)) }
}

export function openConnections (host: ViewHost, watch: Watch): OpenView {
  return { next: () => answer(host, new ConnectionQuery(host.runtime, watch)) }
}

async function answer<R> (
  { sampler }: ViewHost, query: EntityQuery<R>
): Promise<{ total: number, matched: number, rows: R[] }> {
  await sampler.select(query)
  const { total, matched } = query
  return { total, matched, rows: query.rows() }
}
