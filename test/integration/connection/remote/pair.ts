// A server with sockets, and another node, over a wire without a cluster: a test decides when
// frames arrive. test/cluster has the same over real channels.
import { start } from '../support.js'
import { buildRuntime } from '../../../process/helpers.js'
import { Wire } from '../../../process/remote/wire.js'
import type { FastifyServerOptions } from 'fastify'
import type { Test } from 'tap'
import type { Rig } from '../support.js'
import type { Runtime } from '../../../../lib/process/runtime.js'
import type { Processes } from '../../../../types/processes.js'
import type { WsRelayOptions } from '../../../../types/relay.js'

interface Pair { wire: Wire, rig: Rig, other: { runtime: Runtime, processes: Processes } }

/** A server with sockets on node `a`, and another node `b`. */
export async function pair (
  t: Test,
  options: WsRelayOptions = {},
  fastify: FastifyServerOptions = {},
  mailboxLimit = 10_000
): Promise<Pair> {
  const wire = new Wire()
  const rig = await start(t, { node: 'a', ...options }, fastify)
  const other = buildRuntime({ node: 'b', mailboxLimit })
  wire.join(rig.relay.runtime)
  wire.join(other.runtime)
  return { wire, rig, other }
}
