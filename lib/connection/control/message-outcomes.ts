import { errorCodes, show } from '../../errors.js'
import type { Answer } from '../../process/calls.js'
import type { Pid } from '../../../types/pid.js'
import type { Logger } from '../../../types/options.js'
import type { RefusalReason } from '../../../types/stats.js'
import type { MisspeltField } from '../config.js'
import type { RelayServer } from '../relay-server.js'
import type { ControlRequest } from './control-queue.js'

/**
 * The outcome of a message to a connection: it is counted, logged, and answered if it is a call.
 *
 * It is a base class and no object of its own: that would cost memory for each idle connection.
 */
export abstract class MessageOutcomes {
  readonly pid: Pid
  protected readonly relay: RelayServer
  #log: Logger | undefined

  constructor (relay: RelayServer) {
    this.pid = relay.runtime.pids.nextPid()
    this.relay = relay
  }

  get log (): Logger {
    this.#log ??= this.relay.runtime.logger.child({ relayPid: this.pid })
    return this.#log
  }

  protected countControl (): void {
    this.relay.runtime.counters.controlTaken()
  }

  protected countStopping (): void {
    this.relay.runtime.counters.messageRefused('stopping')
  }

  protected refuseMessage (
    call: Answer | undefined, topic: string, why: RefusalReason, problem: string
  ): false {
    this.relay.runtime.counters.messageRefused(why)
    call?.reject(new errorCodes.FST_PROCESS_REFUSED(this.pid, topic, problem))
    return false
  }

  protected refuseMalformed (topic: string, problem: string, call: Answer | undefined): false {
    this.relay.runtime.counters.messageRefused('payload')
    this.log.warn({ topic }, `malformed payload: ${problem}`)
    call?.reject(new errorCodes.FST_WS_RELAY_INVALID_PAYLOAD(topic, problem))
    return false
  }

  /** The field of a `ws.control` is ignored. */
  protected warnOfField ({ field, expected }: MisspeltField): void {
    this.relay.runtime.mistakes.warnings.warn(
      { label: field },
      { relayPid: this.pid, field, expected },
      'ignored an unknown field of ws.control'
    )
  }

  protected rejectTransfer ({ change, call }: ControlRequest, problem: string): false {
    const target = show(change.target)
    const error = new errorCodes.FST_WS_RELAY_TRANSFER_REFUSED(this.pid, target, problem)
    this.log.warn({ err: error }, 'transfer refused')
    call?.reject(error)
    return false
  }
}
