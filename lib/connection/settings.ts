import type { OriginCheck } from '../upgrade/origin.js'
import type { RelayRouteConfig, RelayRouteOptions, WsRelayOptions } from '../../types/relay.js'

/** What holds for the connections of one scope or route. */
export interface RouteSettings extends Readonly<Required<Omit<RelayRouteConfig, 'allowedOrigins'>>> {
  readonly allowedOrigins: RelayRouteOptions['allowedOrigins']
  readonly originAllowed: OriginCheck
}

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
