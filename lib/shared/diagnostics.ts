import { channel } from 'node:diagnostics_channel'
import type { EventChannels } from '../../types/events.js'

/**
 * A typed channel of `node:diagnostics_channel`. Make an event only if somebody listens:
 *
 * ```ts
 * if (processEvents.hasSubscribers) processEvents.publish({ … })
 * ```
 */
export interface EventChannel<E> {
  readonly hasSubscribers: boolean
  publish (event: E): void
}

/** The fields that all events have. */
export function commonFields (node: string): { readonly node: string, readonly at: number } {
  return { node, at: Date.now() }
}

function openChannel<K extends keyof EventChannels> (name: K): EventChannel<EventChannels[K]> {
  return channel(name)
}

// Modules hold the channels: Node keeps a channel only as long as somebody refers to it.
export const upgradeEvents = openChannel('fastify-ws-relay:upgrade')
export const connectionEvents = openChannel('fastify-ws-relay:connection')
export const processEvents = openChannel('fastify-ws-relay:process')
export const clusterEvents = openChannel('fastify-ws-relay:cluster')
export const drainEvents = openChannel('fastify-ws-relay:drain')
