import type { OriginCheck } from './origin.js'
import type { RelayRouteConfig, RelayRouteOptions, WsRelayOptions } from '../../types/relay.js'

/** What holds for the connections of one scope or route. */
export interface RouteSettings extends Readonly<Required<Omit<RelayRouteConfig, 'allowedOrigins'>>> {
  readonly allowedOrigins: RelayRouteOptions['allowedOrigins']
  readonly originAllowed: OriginCheck
}

type Durations = 'upgradeTimeout' | 'pingInterval' | 'pongTimeout' | 'closeTimeout'

/** What holds for a whole server; durations in milliseconds. */
export type ServerSettings =
  Readonly<Required<Omit<WsRelayOptions, keyof RelayRouteOptions | Durations | 'cluster'>> & Pick<WsRelayOptions, 'cluster'> & Record<Durations, number>>
