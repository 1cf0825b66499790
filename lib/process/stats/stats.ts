import type { Counters } from './counters.js'
import type { Scheduler } from '../scheduler.js'
import type { ConnectionStats, ProcessStats, UpgradeStats } from '../../../types/stats.js'

/** The numbers of a server, which the process system itself does not know. */
export interface ServerStats {
  readonly connections: Omit<ConnectionStats, 'messagesOut'>
  readonly upgrades: UpgradeStats
  /** Messages of clients that their protocol has refused. */
  readonly invalid: number
}

/** The parts of the runtime that have numbers. */
export interface StatsHost {
  readonly processTable: { readonly size: number }
  readonly counters: Counters
  readonly scheduler: Scheduler
  readonly kinds: { stats (): ProcessStats['keyed'] }
  /** Undefined without a server. */
  readonly serverStats: (() => ServerStats) | undefined
}

const noServer: ServerStats = {
  connections: {
    open: 0,
    suspended: 0,
    paused: 0,
    parked: 0,
    limits: { open: 0, suspended: 0 },
    opened: 0,
    closed: 0,
    transferred: 0,
    limited: 0,
    closedBy: [],
    messagesIn: 0,
    bytesIn: 0,
    bytesOut: 0,
    resumes: { resumed: 0, ended: 0, refused: 0, node: 0, gap: 0, expired: 0, full: 0 },
    unknownControls: 0,
    nativeSender: false
  },
  upgrades: {
    accepted: 0,
    abandoned: 0,
    refused: {
      application: 0,
      handshake: 0,
      protocol: 0,
      origin: 0,
      overloaded: 0,
      config: 0,
      target: 0,
      timeout: 0,
      closing: 0
    }
  },
  invalid: 0
}

/** The result of `processes.stats()`: a copy, which does not change any more. */
export function statsOf (host: StatsHost): ProcessStats {
  const { processTable, counters, scheduler, serverStats } = host
  const { spawned, exited, restarts, giveUps, sent, delivered, deadLetters, refused } = counters
  const { connections, upgrades, invalid } = serverStats?.() ?? noServer
  return {
    alive: processTable.size,
    aliveBy: { ...counters.aliveBy, ws: connections.open },
    spawned,
    exited,
    restarts,
    giveUps,
    sent,
    delivered,
    deadLetters,
    deadLettersBy: { ...counters.deadLettersBy },
    refused,
    refusedBy: { ...counters.refusedBy },
    invalid,
    longestTurn: scheduler.longestTurn,
    turns: scheduler.turns.stats(),
    keyed: host.kinds.stats(),
    connections: {
      ...connections,
      messagesOut: counters.deliveredToClients,
      closedBy: [...connections.closedBy],
      resumes: { ...connections.resumes }
    },
    upgrades: { ...upgrades, refused: { ...upgrades.refused } }
  }
}
