import { checkAddress } from '../pid.js'
import { explanationOf, isFindings, missingCause, unreachable, withCause } from './findings.js'
import type { RemoteNodes } from '../remote/remote-nodes.js'
import type { Explainer } from './explainer.js'
import type { Findings } from './findings.js'
import type { Explanation } from '../../../types/explain.js'
import type { Pid } from '../../../types/pid.js'

/** A call with this topic is answered by the node of the callee, which may be dead. */
export const explainTopic = '@explain'

/** The parts of the runtime that explain the ends of all nodes. */
export interface AcrossNodesHost {
  readonly explainer: Explainer
  readonly clusterAccess: { remoteNodesFor (pid: string): RemoteNodes | undefined }
  readonly messenger: { request (remote: RemoteNodes, to: Pid, topic: string): Promise<unknown> }
}

/**
 * As `explain` of the node that has made the PID. If a process of another node ends the chain, that
 * node is asked next.
 * @throws `FST_PROCESS_INVALID_PID` for anything but a string (as a rejection)
 */
export async function explainAcrossNodes (
  host: AcrossNodesHost, to: string
): Promise<Explanation | undefined> {
  checkAddress(to)
  let findings = await findingsOf(host, to)
  if (findings === undefined) return undefined
  let next = missingCause(findings)
  while (next !== undefined) {
    const longer = withCause(findings, await findingsOf(host, next))
    const isLonger = longer.chain.length > findings.chain.length
    findings = longer
    next = isLonger ? missingCause(findings) : undefined
  }
  return explanationOf(findings)
}

async function findingsOf (
  { explainer, clusterAccess, messenger }: AcrossNodesHost, to: string
): Promise<Findings | undefined> {
  const remote = clusterAccess.remoteNodesFor(to)
  if (remote === undefined) return explainer.findingsOf(to)
  const pid = to as Pid
  try {
    const answer = await messenger.request(remote, pid, explainTopic)
    return answer === undefined || isFindings(answer) ? answer : unreachable(pid)
  } catch {
    // No answer in time, or the node is not there: that is the finding.
    return unreachable(pid)
  }
}
