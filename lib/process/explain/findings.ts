import { endedText, unreachableText } from './sentence.js'
import type { End, Explanation } from '../../../types/explain.js'
import type { Pid } from '../../../types/pid.js'

/** The number of ends in a chain. */
export const longestChain = 10

/** The knowledge of one node, or of several, about an end. It is plain data. */
export interface Findings {
  readonly pid: Pid
  readonly state: Explanation['state']
  /** The sentence, if there is no chain. */
  readonly text: string
  readonly chain: readonly End[]
  /** Connections that the last end of the chain, or the cause of it, has led to. */
  readonly connections: number
  /** Processes and supervisors likewise. */
  readonly processes: number
  /** Why the chain lacks the cause of its last end. */
  readonly missing?: 'forgotten' | 'unreachable'
}

export function withoutChain (
  pid: Pid, state: Exclude<Explanation['state'], 'ended'>, text: string
): Findings {
  return { pid, state, text, chain: [], connections: 0, processes: 0 }
}

/** The node of a PID did not answer. */
export function unreachable (pid: Pid): Findings {
  return withoutChain(pid, 'unreachable', unreachableText(pid))
}

/** The PID whose end has led to the last one of the chain, if another node may know that end. */
export function missingCause ({ chain }: Findings): Pid | undefined {
  const last = chain.at(-1)
  if (last === undefined || chain.length === longestChain) return undefined
  // The other process was only out of reach. It may have ended later, for another reason.
  const isLost = last.reason === 'noconnection' || last.closeReason === 'target node lost'
  return isLost ? undefined : last.because
}

/** @param cause the findings about the {@link missingCause}; undefined if it never existed */
export function withCause (effect: Findings, cause: Findings | undefined): Findings {
  if (cause === undefined || cause.state === 'alive') return { ...effect, missing: undefined }
  const isEnd = cause.state === 'ended'
  return {
    ...effect,
    chain: [...effect.chain, ...cause.chain].slice(0, longestChain),
    connections: effect.connections + cause.connections,
    processes: effect.processes + cause.processes,
    missing: isEnd ? cause.missing : cause.state as Findings['missing']
  }
}

export function explanationOf ({ pid, state, text, chain, ...findings }: Findings): Explanation {
  if (chain.length === 0) return { pid, state, text, chain, together: 0 }
  const { connections, processes } = findings
  const restartedAs = chain.find((end) => end.restartedAs !== undefined)?.restartedAs
  return {
    pid,
    state,
    text: endedText(chain, findings),
    chain,
    together: connections + processes,
    ...restartedAs !== undefined && { restartedAs }
  }
}

/** Whether a value of another node can be read. Nodes may have different versions. */
export function isFindings (value: unknown): value is Findings {
  if (typeof value !== 'object' || value === null) return false
  const { pid, state, text, chain, connections, processes } = value as Record<string, unknown>
  const areNumbers = Number.isInteger(connections) && Number.isInteger(processes)
  return typeof pid === 'string' && typeof state === 'string' && typeof text === 'string' &&
    areNumbers && Array.isArray(chain) && chain.every((end) => typeof end === 'object')
}
