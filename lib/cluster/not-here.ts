import { errorCodes, show } from '../errors.js'
import { isPid } from '../process/pid.js'

/** Why a process cannot have a name, or be in a group: it is of another node, of an earlier start of this one, or none. */
export function notHere (pid: unknown): Error {
  return isPid(pid) ? new errorCodes.FST_PROCESS_NOT_ALIVE(pid) : new errorCodes.FST_PROCESS_INVALID_PID(show(pid))
}
