import { findAgents } from '../cluster/discovery.js'
import { contains } from './rows.js'
import type { NodeRow } from '../frames.js'
import type { Watch } from '../requests.js'
import type { OpenView, ViewHost } from './view.js'

export function openNodes ({ runtime }: ViewHost, { filter, limit }: Watch): OpenView {
  return {
    async next () {
      const { pids, clusterAccess: { cluster } } = runtime
      const viewable = cluster === undefined ? new Map() : await findAgents(cluster)
      const self: NodeRow = {
        node: pids.node, state: 'up', since: pids.incarnation, self: true, viewable: true
      }
      const others = (cluster?.nodes() ?? []).map(({ node, state, since }): NodeRow => {
        return { node, state, since, self: false, viewable: viewable.has(node) }
      })
      others.sort((one, other) => one.node.localeCompare(other.node))
      const rows = [self, ...others].filter(({ node }) => contains(filter, [node]))
      return { total: others.length + 1, matched: rows.length, rows: rows.slice(0, limit) }
    }
  }
}
