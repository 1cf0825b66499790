import type { ClusterStats } from '../../types/cluster.js'
import type { ClosedConnections, KeyedStats, ProcessStats } from '../../types/stats.js'

/** One number of a metric. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** One metric, without the prefix of its name. */
export interface Metric {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  readonly labels: readonly string[]
  /** @param cluster all 0 without a cluster */
  samples (stats: ProcessStats, cluster: ClusterStats, isReady: boolean): Sample[]
}

export const defaultPrefix = 'ws_relay_'

/** The histogram, which is the only one. */
export const turnMetric = {
  name: 'turn_seconds',
  help: 'Time of the turns of processes, short ones measured together'
} as const

/** The numbers of a system without a cluster. */
export const noCluster: ClusterStats = Object.freeze({
  framesIn: 0,
  framesOut: 0,
  batchesIn: 0,
  batchesOut: 0,
  resent: 0,
  torn: 0,
  garbage: 0,
  stalls: 0,
  fences: 0,
  up: 0,
  unacknowledged: 0,
  refused: {}
})

function closes (
  cause: ClosedConnections['cause'], ...codes: Array<ClosedConnections['code']>
): ClosedConnections[] {
  return codes.map((code) => ({ cause, code, times: 0 }))
}

/**
 * The usual closes. They are 0 from the start: Prometheus does not notice the first close of a
 * kind if it makes the series appear.
 */
export const usualCloses: readonly ClosedConnections[] = [
  ...closes('client', 1000, 1001, undefined),
  ...closes('lost', undefined),
  ...closes('ping_timeout', undefined),
  ...closes('process', 1000),
  ...closes('target', 1000, 1011, 1012, 1013),
  ...closes('protocol', 1002, 1007, 1008, 1009),
  ...closes('expired', 1008),
  ...closes('slow', 1013),
  ...closes('shutdown', 1001),
  ...closes('killed', undefined),
  ...closes('exit', 1000, 1011)
]

function one (value: number): Sample[] {
  return [{ labels: {}, value }]
}

/** One sample for each entry of a record. */
function each (label: string, values: Readonly<Record<string, number>>): Sample[] {
  return Object.entries(values).map(([key, value]) => ({ labels: { [label]: key }, value }))
}

/** One sample for each kind of processes with keys. */
function eachKind (keyed: ProcessStats['keyed'], figure: keyof KeyedStats): Sample[] {
  return Object.entries(keyed).map(([kind, stats]) => ({ labels: { kind }, value: stats[figure] }))
}

/** Every metric but the histogram, in the order of the table in docs/metrics.md. */
export const metrics: readonly Metric[] = [
  {
    name: 'connections',
    type: 'gauge',
    help: 'Connections: all that are open, and those of them that are suspended, paused or parked',
    labels: ['state'],
    samples: ({ connections: { open, suspended, paused, parked } }) => {
      return each('state', { open, suspended, paused, parked })
    }
  },
  {
    name: 'connections_limit',
    type: 'gauge',
    help: 'How many connections may be open (maxConnections) and suspended (maxSuspended)',
    labels: ['state'],
    samples: ({ connections: { limits } }) => each('state', limits)
  },
  {
    name: 'connections_opened_total',
    type: 'counter',
    help: 'Connections that were opened',
    labels: [],
    samples: ({ connections }) => one(connections.opened)
  },
  {
    name: 'connections_closed_total',
    type: 'counter',
    help: 'Connections that have ended, by cause and close code',
    labels: ['cause', 'code'],
    samples: ({ connections: { closedBy } }) => {
      const counted = new Set(closedBy.map(({ cause, code }) => `${cause} ${code}`))
      const others = usualCloses.filter(({ cause, code }) => !counted.has(`${cause} ${code}`))
      return [...closedBy, ...others].map(({ cause, code, times }) => {
        return { labels: { cause, code: String(code ?? 'none') }, value: times }
      })
    }
  },
  {
    name: 'connections_transferred_total',
    type: 'counter',
    help: 'Connections that were handed to another target',
    labels: [],
    samples: ({ connections }) => one(connections.transferred)
  },
  {
    name: 'connections_limited_total',
    type: 'counter',
    help: 'How often a client was over its limit',
    labels: [],
    samples: ({ connections }) => one(connections.limited)
  },
  {
    name: 'upgrades_refused_total',
    type: 'counter',
    help: 'Upgrades that were refused',
    labels: ['reason'],
    samples: ({ upgrades }) => each('reason', upgrades.refused)
  },
  {
    name: 'upgrades_abandoned_total',
    type: 'counter',
    help: 'Upgrades whose client left before there was a response',
    labels: [],
    samples: ({ upgrades }) => one(upgrades.abandoned)
  },
  {
    name: 'messages_total',
    type: 'counter',
    help: 'Messages from (in) and to (out) clients',
    labels: ['direction'],
    samples: ({ connections }) => {
      return each('direction', { in: connections.messagesIn, out: connections.messagesOut })
    }
  },
  {
    name: 'invalid_messages_total',
    type: 'counter',
    help: 'Messages from clients that the protocol of their connection has refused',
    labels: [],
    samples: ({ invalid }) => one(invalid)
  },
  {
    name: 'bytes_total',
    type: 'counter',
    help: 'Bytes read from (in) and written to (out) the sockets of clients, below TLS',
    labels: ['direction'],
    samples: ({ connections }) => {
      return each('direction', { in: connections.bytesIn, out: connections.bytesOut })
    }
  },
  {
    name: 'processes',
    type: 'gauge',
    help: 'Processes, supervisors and connections (ws) that are alive',
    labels: ['kind'],
    samples: ({ aliveBy }) => each('kind', aliveBy)
  },
  {
    name: 'ready',
    type: 'gauge',
    help: '1 while the server is ready; 0 while it drains, closes, or cannot reach its cluster',
    labels: [],
    samples: (_stats, _cluster, isReady) => one(isReady ? 1 : 0)
  },
  {
    name: 'spawned_total',
    type: 'counter',
    help: 'Processes and connections that were started',
    labels: [],
    samples: ({ spawned }) => one(spawned)
  },
  {
    name: 'process_exits_total',
    type: 'counter',
    help: 'Processes and connections that have ended, by exit reason',
    labels: ['reason'],
    samples: ({ exited }) => each('reason', exited)
  },
  {
    name: 'restarts_total',
    type: 'counter',
    help: 'Restarts of children by supervisors',
    labels: [],
    samples: ({ restarts }) => one(restarts)
  },
  {
    name: 'give_ups_total',
    type: 'counter',
    help: 'Supervisors that gave up: a child failed too often',
    labels: [],
    samples: ({ giveUps }) => one(giveUps)
  },
  {
    name: 'sent_total',
    type: 'counter',
    help: 'Messages that processes and connections have accepted',
    labels: [],
    samples: ({ sent }) => one(sent)
  },
  {
    name: 'delivered_total',
    type: 'counter',
    help: 'Messages that processes have read, or connections have written',
    labels: [],
    samples: ({ delivered }) => one(delivered)
  },
  {
    name: 'keyed_processes',
    type: 'gauge',
    help: 'Processes with keys that are alive, those that clean up included',
    labels: ['kind'],
    samples: ({ keyed }) => eachKind(keyed, 'alive')
  },
  {
    name: 'keyed_started_total',
    type: 'counter',
    help: 'Processes with keys that were started',
    labels: ['kind'],
    samples: ({ keyed }) => eachKind(keyed, 'started')
  },
  {
    name: 'keyed_crashed_total',
    type: 'counter',
    help: 'Processes with keys that have failed',
    labels: ['kind'],
    samples: ({ keyed }) => eachKind(keyed, 'crashed')
  },
  {
    name: 'keyed_refused_total',
    type: 'counter',
    help: 'Requests that found no process of their key and could not start one',
    labels: ['kind'],
    samples: ({ keyed }) => eachKind(keyed, 'refused')
  },
  {
    name: 'refused_total',
    type: 'counter',
    help: 'Messages that were refused',
    labels: ['why'],
    samples: ({ refusedBy }) => each('why', refusedBy)
  },
  {
    name: 'dead_letters_total',
    type: 'counter',
    help: 'Messages that no process has read',
    labels: ['why'],
    samples: ({ deadLettersBy }) => each('why', deadLettersBy)
  },
  {
    name: 'resumes_total',
    type: 'counter',
    help: 'Clients that asked to continue a session',
    labels: ['outcome'],
    samples: ({ connections }) => each('outcome', connections.resumes)
  },
  {
    name: 'unknown_controls_total',
    type: 'counter',
    help: 'Controls of clients that this version of the protocol of sessions does not have',
    labels: [],
    samples: ({ connections }) => one(connections.unknownControls)
  },
  {
    name: 'cluster_nodes_up',
    type: 'gauge',
    help: 'Other nodes that are up',
    labels: [],
    samples: (_stats, { up }) => one(up)
  },
  {
    name: 'cluster_unacknowledged',
    type: 'gauge',
    help: 'Frames to other nodes that wait for an acknowledgement',
    labels: [],
    samples: (_stats, { unacknowledged }) => one(unacknowledged)
  },
  {
    name: 'cluster_frames_total',
    type: 'counter',
    help: 'Frames from (in) and to (out) other nodes',
    labels: ['direction'],
    samples: (_stats, { framesIn, framesOut }) => {
      return each('direction', { in: framesIn, out: framesOut })
    }
  },
  {
    name: 'cluster_batches_total',
    type: 'counter',
    help: 'Batches of frames from (in) and to (out) other nodes',
    labels: ['direction'],
    samples: (_stats, { batchesIn, batchesOut }) => {
      return each('direction', { in: batchesIn, out: batchesOut })
    }
  },
  {
    name: 'cluster_resent_total',
    type: 'counter',
    help: 'Frames to other nodes that were sent again',
    labels: [],
    samples: (_stats, { resent }) => one(resent)
  },
  {
    name: 'cluster_torn_total',
    type: 'counter',
    help: 'Channels to other nodes that were reset, with the loss of messages',
    labels: [],
    samples: (_stats, { torn }) => one(torn)
  },
  {
    name: 'cluster_garbage_total',
    type: 'counter',
    help: 'Frames of the engine that could not be read',
    labels: [],
    samples: (_stats, { garbage }) => one(garbage)
  },
  {
    name: 'cluster_stalls_total',
    type: 'counter',
    help: 'Stalls of the event loop of more than a second',
    labels: [],
    samples: (_stats, { stalls }) => one(stalls)
  },
  {
    name: 'cluster_fences_total',
    type: 'counter',
    help: 'Names that this node has lost with its lease',
    labels: [],
    samples: (_stats, { fences }) => one(fences)
  },
  {
    name: 'cluster_refused_total',
    type: 'counter',
    help: 'Messages to another node that were refused because it was too slow or down',
    labels: ['peer'],
    samples: (_stats, { refused }) => each('peer', refused)
  }
]
