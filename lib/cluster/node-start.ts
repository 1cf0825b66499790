import { errorCodes } from '../errors.js'
import { claimIncarnation } from './membership/incarnation.js'
import type { Cancellable } from '../shared/clock.js'
import type { NodeParts } from './node-parts.js'

/** The progress of a start. */
export interface NodeStart {
  /** False when the node was closed meanwhile. */
  readonly isWanted: boolean
  /** The latest incarnation of this node that other nodes have heard of; 0: unknown. */
  readonly latestKnown: number
}

/**
 * Joins the cluster. Resolves when the incarnation is final, or when the start is not wanted any
 * more.
 *
 * @returns false if the engine did not answer in time
 * @throws the errors of the engine's `open`
 */
export async function joinWithin (
  timeout: number, parts: NodeParts, start: NodeStart
): Promise<boolean> {
  let timer: Cancellable | undefined
  const late = new Promise<false>((resolve) => {
    timer = parts.context.after(timeout, () => { resolve(false) })
  })
  try {
    return await Promise.race([join(parts, start), late])
  } finally {
    timer?.cancel()
  }
}

/** The error of a start that took too long. Call it after the transport was closed. */
export function tooLateError (timeout: number, { context, engineLink }: NodeParts): Error {
  const { caps: { name }, address } = context.transport
  const place = address === undefined ? '' : ` at ${address}`
  const why = `the engine '${name}'${place} did not answer within ${timeout} ms`
  const { failure } = engineLink
  return failure === undefined
    ? new errorCodes.FST_CLUSTER_UNAVAILABLE(why)
    : new errorCodes.FST_CLUSTER_UNAVAILABLE(why, { cause: failure })
}

async function join (parts: NodeParts, start: NodeStart): Promise<true> {
  const { context, engineLink, membership, heartbeats } = parts
  await engineLink.open()
  membership.begin(engineLink.up)
  await Promise.all([
    engineLink.subscribe(engineLink.heartbeatTopic, heartbeats.receiveHeartbeat),
    announce(parts, start)
  ])
  while (start.isWanted && start.latestKnown > context.incarnation) {
    // The register has lost its data, but other nodes remember a later incarnation. They ignore
    // this one, so announce one above that.
    const inboxTopic = engineLink.inboxTopic(context.node, context.incarnation)
    context.incarnation = start.latestKnown + 1
    await announce(parts, start)
    await context.transport.unsubscribe(inboxTopic)
  }
  return true
}

/**
 * Registers an incarnation, subscribes to its topic, and sends a hello. Resolves when the other
 * nodes have had time to answer.
 */
async function announce (parts: NodeParts, start: NodeStart): Promise<void> {
  const { context, register, engineLink, inbox, heartbeats } = parts
  const { node, transport, timing } = context
  if (transport.caps.registry) {
    const isWanted = (): boolean => start.isWanted
    context.incarnation = await claimIncarnation(register, node, context.incarnation, isWanted)
  }
  if (!start.isWanted) return
  await engineLink.subscribe(engineLink.inboxTopic(node, context.incarnation), inbox.receiveBatch)
  if (!start.isWanted) return
  heartbeats.sendHello()
  await new Promise<void>((resolve) => { context.after(timing.hello, resolve) })
}
