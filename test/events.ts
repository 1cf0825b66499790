import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { EventChannels } from '../types/events.js'

/** The part of tap's `t` that the helper needs. */
interface Teardown {
  teardown (task: () => unknown): void
}

type AnyEvent = EventChannels[keyof EventChannels]

/** The part of the name of a channel after the package. */
type Short<K> = K extends `fastify-ws-relay:${infer S}` ? S : never

/**
 * Records the events of some channels, all in one list, until the end of the test.
 * @param node only those of this node, because other tests may run in the same program
 */
export function recordEvents<K extends Short<keyof EventChannels>> (
  t: Teardown, node: string, ...channels: K[]
): EventChannels[`fastify-ws-relay:${K}`][] {
  const events: AnyEvent[] = []
  const listener = (message: unknown): void => {
    const event = message as AnyEvent
    if (event.node === node) events.push(event)
  }
  for (const name of channels) {
    subscribe(`fastify-ws-relay:${name}`, listener)
    t.teardown(() => unsubscribe(`fastify-ws-relay:${name}`, listener))
  }
  return events as EventChannels[`fastify-ws-relay:${K}`][]
}
