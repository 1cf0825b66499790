import { Top } from '../sampler/top.js'
import { contains, cut, fit, refer } from './rows.js'
import type { Runtime } from '../../process/runtime.js'
import type { GroupRow } from '../frames.js'
import type { Watch } from '../requests.js'
import type { OpenView, ViewHost } from './view.js'

/** Members that a row shows. */
const maxMembers = 5

interface Candidate {
  readonly name: string
  readonly members: number
}

type Order = (one: Candidate, other: Candidate) => boolean

const byName: Order = (one, other) => one.name < other.name
const byMembers: Order = (one, other) => {
  return one.members === other.members ? byName(one, other) : one.members < other.members
}

export function openGroups ({ runtime, sampler }: ViewHost, watch: Watch): OpenView {
  const { filter, limit, column, isDescending } = watch
  const order = column === 'name' ? byName : byMembers
  const isBefore: Order = isDescending ? (one, other) => order(other, one) : order
  return {
    async next () {
      const { groupTable } = runtime
      const top = new Top<Candidate>(limit, isBefore)
      let total = 0
      let matched = 0
      function * steps (): Iterator<undefined> {
        // New groups are left to the next answer: otherwise it might never end.
        let left = groupTable.count
        for (const name of groupTable.names) {
          if (left-- === 0) return
          total++
          if (contains(filter, [name])) {
            matched++
            top.offer({ name, members: groupTable.memberCount(name) })
          }
          yield
        }
      }
      await sampler.run(steps())
      const rows = top.inOrder().map(({ name }) => rowOf(runtime, name))
      return { total, matched, rows: fit(rows.filter(({ members }) => members > 0)) }
    }
  }
}

function rowOf (runtime: Runtime, name: string): GroupRow {
  const { groupTable } = runtime
  const first = []
  for (const pid of groupTable.members(name)) {
    if (first.length === maxMembers) break
    first.push(refer(runtime, pid))
  }
  return { name: cut(name), members: groupTable.memberCount(name), first }
}
