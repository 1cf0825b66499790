import { Heartbeats } from './membership/heartbeats.js'
import { Inbox } from './inbox.js'
import { Membership } from './membership/membership.js'
import { Names } from './names/names.js'
import { NoNames } from './names/no-names.js'
import { OtherVersions } from './membership/other-versions.js'
import type { HeartbeatsHost } from './membership/heartbeats.js'
import type { NamesHost } from './names/names.js'
import type { ClusterNodeOptions } from './node-options.js'
import type { Peers } from './membership/peers.js'
import type { ClusterStats, ClusterTransport } from '../../types/cluster.js'
import type { Logger } from '../../types/options.js'

export function newCounters (): ClusterStats {
  return {
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
  }
}

type OwnHeartbeatsHost = 'membership' | 'unreadableBatch' | 'nodeReturned'

export interface MembershipPartsHost extends Omit<HeartbeatsHost, OwnHeartbeatsHost> {
  readonly node: string
  readonly incarnation: number
  readonly transport: ClusterTransport
  readonly peers: Peers
  readonly logger: Logger
  /** Another node is down. */
  nodeDown (node: string): void
  /** Another node has heard of a later incarnation of this one. */
  laterIncarnation (incarnation: number): void
}

/** The parts that know which other nodes are up. */
export interface MembershipParts {
  readonly membership: Membership
  readonly heartbeats: Heartbeats
  readonly inbox: Inbox
}

export function makeMembershipParts (host: MembershipPartsHost): MembershipParts {
  const { clock, timing, counters, random, engineLink, transport, peers, logger } = host
  const membership = new Membership({
    clock,
    timing,
    counters,
    node: host.node,
    get incarnation () { return host.incarnation },
    probe: (node, incarnation) => {
      if (!transport.caps.probe) return Promise.resolve(undefined)
      return transport.probe(engineLink.inboxTopic(node, incarnation))
    },
    nodeUp: (node, incarnation) => { peers.nodeUp(node, incarnation) },
    nodeDown: (node, incarnation, why) => {
      peers.nodeDown(node, incarnation, why)
      host.nodeDown(node)
    },
    nodeForgotten: (node) => { peers.forgetNode(node) },
    loopStalled: (ms) => {
      logger.warn({ ms: Math.round(ms) }, 'cluster: the event loop stood still')
    },
    nameTaken: (incarnation) => { host.laterIncarnation(incarnation) }
  })
  const otherVersions = new OtherVersions(logger)
  const heartbeats = new Heartbeats({
    clock,
    timing,
    counters,
    random,
    engineLink,
    membership,
    unreadableBatch: (bytes) => { otherVersions.logSender(bytes) },
    nodeReturned: (name) => { peers.nodeReturned(name) }
  })
  const { laterIncarnation } = host
  const inbox = new Inbox({ membership, peers, counters, laterIncarnation })
  return { membership, heartbeats, inbox }
}

type OwnNamesHost = 'acquireTimeout' | 'local' | 'durable' | 'leaseLost' | 'nameLost'

export interface NamesPartHost extends Omit<NamesHost, OwnNamesHost> {
  guard (task: () => void): void
}

/** @returns cluster-wide names; without a register in the engine, names that reject each use */
export function makeNames (options: ClusterNodeOptions, host: NamesPartHost): Names | NoNames {
  const { events, local, logger, transport } = options
  if (!transport.caps.registry) return new NoNames(transport.caps.name)
  return new Names({
    ...host,
    local,
    acquireTimeout: options.acquireTimeout ?? host.timing.acquire,
    get durable () { return transport.caps.durable === true },
    leaseLost: (names) => { logger.warn({ names }, 'cluster: this node lost its lease') },
    nameLost: (name, pid) => {
      const about = { relayName: name, relayPid: pid }
      logger.warn(about, 'cluster: a name is lost, and its process ends')
      host.guard(() => { events.nameLost(name, pid) })
    }
  })
}
