import type { TargetBinding } from './target/binding.js'
import type { ResolvedConfig } from './config.js'
import type { ControlQueue } from './control/control-queue.js'
import type { ParkedTarget } from './park/parked-target.js'
import type { ConnectionLimits } from './limits/connection-limits.js'
import type { ParkPolicy } from './park/policy.js'
import type { RelayServer } from './relay-server.js'
import type { ConnectionSettings } from './settings.js'
import type { Transport } from './transport.js'
import type { Target } from '../process/entity.js'

export interface ConnectionOptions {
  readonly relay: RelayServer
  readonly transport: Transport
  readonly settings: ConnectionSettings
  readonly target: Target
  /** Present if the target is a process of another node, or of this connection alone. */
  readonly binding?: TargetBinding
  readonly config: ResolvedConfig
}

/** State that few connections need. A field of its own would cost memory in each connection. */
export class RareState {
  /** Present while a `ws.control` waits for the answer of another node. */
  controlQueue: ControlQueue | undefined = undefined
  /** Present if the connection waits for a successor when its target fails. */
  park: ParkPolicy | undefined = undefined
  /** Made when it waits for the first time. */
  parked: ParkedTarget | undefined = undefined
  /** Present if it has a `limit`, or expires. */
  limits: ConnectionLimits | undefined = undefined
}
