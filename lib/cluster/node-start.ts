import { errorCodes } from '../errors.js'
import { claimIncarnation } from './membership/incarnation.js'
import type { Cancellable } from '../shared/clock.js'
import type { ClusterNodeOptions } from './node-options.js'
import type { EngineLink } from './link/engine-link.js'
import type { MembershipParts } from './node-parts.js'
import type { Register } from './register.js'
import type { Timing } from './timing.js'

/** The node that starts, and the parts of it that the start uses. */
export interface NodeStartHost {
  readonly options: ClusterNodeOptions
  readonly timing: Timing
  readonly register: Register
  readonly engineLink: EngineLink
  /** False when the node was closed meanwhile. */
  readonly starting: boolean
  readonly incarnation: number
  /** The latest incarnation of this node that other nodes have heard of; 0: unknown. */
  readonly latestKnown: number
  /** Called once, when the engine is connected. */
  makeMembership (): MembershipParts
  setIncarnation (incarnation: number): void
  /** Called when the incarnation is final. */
  open (): void
  close (): Promise<void>
}

/**
 * Starts a node. Resolves when it is open, or when it was closed meanwhile. Closes it before it
 * rejects: with `FST_CLUSTER_UNAVAILABLE` when the engine does not answer in time, and with the
 * errors of the engine's `open`.
 */
export async function startNode (host: NodeStartHost): Promise<void> {
  const { clock, startTimeout, transport } = host.options
  let timer: Cancellable | undefined
  const late = new Promise<'late'>((resolve) => {
    timer = clock.after(startTimeout, () => { resolve('late') })
  })
  try {
    if (await Promise.race([joinCluster(host), late]) !== 'late') return
  } catch (err) {
    await host.close()
    throw err
  } finally {
    timer?.cancel()
  }
  // Only after the close is it known why the transport could not connect.
  await host.close()
  const why = `the engine '${transport.caps.name}' did not answer within ${startTimeout} ms`
  const { failure } = host.engineLink
  throw failure === undefined
    ? new errorCodes.FST_CLUSTER_UNAVAILABLE(why)
    : new errorCodes.FST_CLUSTER_UNAVAILABLE(why, { cause: failure })
}

async function joinCluster (host: NodeStartHost): Promise<void> {
  const { engineLink, options } = host
  await engineLink.open()
  const parts = host.makeMembership()
  parts.membership.setConnected(engineLink.up)
  await Promise.all([
    engineLink.subscribe(engineLink.heartbeatTopic, parts.heartbeats.receiveHeartbeat),
    announce(host, parts)
  ])
  while (host.starting && host.latestKnown > host.incarnation) {
    // The register has lost its data, but other nodes remember a later incarnation. They ignore
    // this one, so announce one above that.
    const inbox = engineLink.inboxTopic(options.node, host.incarnation)
    host.setIncarnation(host.latestKnown + 1)
    await announce(host, parts)
    await options.transport.unsubscribe(inbox)
  }
  if (host.starting) host.open()
}

/**
 * Registers an incarnation, subscribes to its topic, and sends a hello. Resolves when the other
 * nodes have had time to answer.
 */
async function announce (
  host: NodeStartHost,
  { heartbeats, inbox }: MembershipParts
): Promise<void> {
  const { engineLink } = host
  const { clock, node, transport } = host.options
  const isWanted = (): boolean => host.starting
  if (transport.caps.registry) {
    const wished = host.incarnation
    host.setIncarnation(await claimIncarnation(host.register, node, wished, isWanted))
  }
  if (!isWanted()) return
  await engineLink.subscribe(engineLink.inboxTopic(node, host.incarnation), inbox.receiveBatch)
  if (!isWanted()) return
  heartbeats.sendHello()
  await new Promise<void>((resolve) => { clock.after(host.timing.hello, resolve) })
}
