import { checkProcessesOptions, processesDefaults } from './options.js'
import { silent } from './logger.js'
import { processesOf } from './processes.js'
import { Runtime } from './runtime.js'
import { toMilliseconds } from './duration.js'
import type { ProcessesOptions, ProcessSystem } from '../../types/processes.js'

export { errorCodes } from '../errors.js'
export type * from '../../types/messages.js'
export type * from '../../types/pid.js'
export type * from '../../types/processes.js'

/**
 * A process system without Fastify, for worker services and tests.
 *
 * @throws `FST_PROCESS_INVALID_OPTIONS`, `FST_PROCESS_INVALID_DURATION`
 */
export function createProcesses (options: ProcessesOptions = {}): ProcessSystem {
  checkProcessesOptions(options)
  const { node, mailboxLimit, mailboxBytes, closeTimeout } = processesDefaults
  const timeout = toMilliseconds(options.closeTimeout ?? closeTimeout)
  const runtime = new Runtime({
    node: options.node ?? node,
    mailboxLimit: options.mailboxLimit ?? mailboxLimit,
    mailboxBytes: options.mailboxBytes ?? mailboxBytes,
    logger: options.logger ?? silent
  })
  return Object.freeze({ ...processesOf(runtime), close: () => runtime.close(timeout) })
}
