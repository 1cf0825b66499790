import type { BindingConnection, TargetBinding } from './binding.js'
import type { Target } from '../../process/entity.js'
import type { ExitListener, TargetExit } from '../../process/exits/relations.js'
import type { Pid } from '../../../types/pid.js'

/** The parts of the runtime that an owned process uses. */
export interface OwnedProcessHost {
  readonly exitSignals: {
    monitor (target: Pid, listener: ExitListener): void
    demonitor (target: Pid, listener: ExitListener): void
  }
}

/**
 * Binds a connection to a process that was started for it alone. The process is cancelled when the
 * connection has left it: after its `ws.leave`, so it still handles that one.
 */
export class OwnedProcess implements TargetBinding, ExitListener {
  readonly isRemote = false
  readonly #host: OwnedProcessHost
  readonly #process: Target
  #connection!: BindingConnection

  constructor (host: OwnedProcessHost, process: Target) {
    this.#host = host
    this.#process = process
  }

  attachConnection (connection: BindingConnection): void {
    this.#connection = connection
    this.#host.exitSignals.monitor(this.#process.pid, this)
  }

  /**
   * The exit is copied without the record of unread joins: the process was started for this client,
   * so the join counts as taken, and the client must not connect again as if nothing had happened.
   */
  targetEnded (exit: TargetExit): void {
    this.#connection.targetEnded({ ...exit })
  }

  /** A connection that has left its target ignores an exit that is on its way already. */
  release (): void {
    this.#host.exitSignals.demonitor(this.#process.pid, this)
    this.#process.cancel(undefined, 'shutdown', { cause: 'cancel', by: this.#connection.pid })
  }
}
