import { errorCodes, show } from '../../errors.js'
import type { KeyProblem } from '../remote/remote-nodes.js'

const made = {
  'it has failed too often': true,
  'too many of its kind': true,
  'nothing can start now': true
}

/** Why a key starts nothing, although nothing has failed now. */
export type KeyRefusal = keyof typeof made & KeyProblem

/** Whether an answer of another node is a refusal. */
export function isKeyRefusal (problem: unknown): problem is KeyRefusal {
  return typeof problem === 'string' && Object.hasOwn(made, problem)
}

/** Why a key starts nothing, as an error for a caller. */
export function keyError (address: string, problem: KeyRefusal): Error {
  const { FST_PROCESS_CLOSING, FST_PROCESS_REFUSED, FST_PROCESS_TOO_MANY } = errorCodes
  if (problem === 'too many of its kind') return new FST_PROCESS_TOO_MANY(show(address))
  if (problem === 'nothing can start now') return new FST_PROCESS_CLOSING()
  return new FST_PROCESS_REFUSED(show(address), 'start', problem)
}
