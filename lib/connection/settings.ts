import type { RelayRouteOptions, WsRelayOptions } from '../../types/relay.js'

/** The settings of the connections of one scope or route. */
export type ConnectionSettings = Readonly<Required<Omit<RelayRouteOptions, 'allowedOrigins'>>>

/**
 * The fragments that a message may have where `maxFragments` is not given: one for each KiB of the
 * largest message, and at least 1024. So a larger `maxPayload` can be used in fragments, too.
 */
export function defaultFragments (maxPayload: number): number {
  return Math.max(1024, Math.ceil(maxPayload / 1024))
}

type Durations = 'upgradeTimeout' | 'pingInterval' | 'pongTimeout' | 'closeTimeout'

/** What holds for a whole server; durations in milliseconds. */
export type ServerSettings =
  Readonly<Required<Omit<WsRelayOptions, keyof RelayRouteOptions | Durations | 'cluster' | 'maxFragments'>> & Pick<WsRelayOptions, 'cluster' | 'maxFragments'> & Record<Durations, number>>
