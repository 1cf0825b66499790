import { Socket } from 'node:net'
import * as v8 from 'node:v8'
import { openDescriptors } from '../rig/descriptors.js'
import { Connection } from '../../../lib/connection/connection.js'
import { Handshake } from '../../../lib/upgrade/handshake/handshake.js'
import { WebSocketTransport } from '../../../lib/websocket/transport.js'
import type { UpgradeServer } from '../../../lib/registration/upgrade-server.js'

/** The resources that a connection may leave behind. All are counted exactly. */
export interface Snapshot {
  /** Entries in the table of processes. */
  connections: number
  processes: number
  /** Records of monitors and links. */
  relations: number
  names: number
  groups: number
  /** Timers that the deadlines of all connections share. */
  deadlines: number
  sockets: number
  handshakes: number
  /** Timers of Node. */
  timers: number
  /** Undefined where the system does not provide it. */
  descriptors?: number
}

/** Objects on the heap; undefined where `v8.queryObjects` is missing (before Node 20.13). */
export type Instances =
  Record<'Connection' | 'WebSocketTransport' | 'Handshake' | 'Socket', number> | undefined

export function snapshot (relay: UpgradeServer): Snapshot {
  const { runtime, deadlines, handshakes } = relay
  const connections = [...runtime.processTable.entities].filter(({ kind }) => kind === 'ws').length
  return {
    connections,
    processes: runtime.processTable.size - connections,
    relations: runtime.relations.size,
    names: runtime.nameTable.size,
    groups: runtime.groupTable.size,
    deadlines: deadlines.size,
    sockets: relay.connections.size,
    handshakes: handshakes.size,
    timers: process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length,
    descriptors: openDescriptors()
  }
}

/** Collects garbage, and counts the remaining resources. */
export function instances (): Instances {
  const { queryObjects } = v8 as {
    queryObjects?: (constructor: unknown, options: { format: 'count' }) => number
  }
  if (queryObjects === undefined) return undefined
  const count = (constructor: unknown): number => queryObjects(constructor, { format: 'count' })
  return {
    // The prototype of `ProtocolConnection` counts as one.
    Connection: count(Connection) - 1,
    WebSocketTransport: count(WebSocketTransport),
    Handshake: count(Handshake),
    Socket: count(Socket)
  }
}

/** Bytes of live objects. */
export function heap (): number {
  for (let i = 0; i < 3; i++) globalThis.gc!()
  return process.memoryUsage().heapUsed
}
