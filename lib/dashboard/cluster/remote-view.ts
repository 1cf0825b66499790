import { errorCodes, show } from '../../errors.js'
import { findAgents } from './discovery.js'
import type { AgentTopics, RemoteAnswer } from './agent.js'
import type { Watch } from '../requests.js'
import type { OpenView } from '../views/view.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'

/** A pass over all processes of a busy node takes its time. */
const timeout = '15s'

let lastKey = 0

/** Shows a view of another node: each answer is one call of that node's agent. */
export function openRemoteView (self: Process, { node, request }: Watch): OpenView {
  const key = ++lastKey
  let agent: Pid<AgentTopics> | undefined
  return {
    async next () {
      agent ??= await agentOf(self, node!)
      const options = { timeout }
      const answer = await self.call<AgentTopics, 'dashboard.next'>(
        agent, 'dashboard.next', { request, key }, options
      ) as RemoteAnswer
      if ('body' in answer) return { ...answer.body, at: answer.at }
      throw Object.assign(new Error(), answer.problem)
    },
    close () {
      if (agent !== undefined) self.send<AgentTopics>(agent, 'dashboard.close', { key })
    }
  }
}

async function agentOf (self: Process, node: string): Promise<Pid<AgentTopics>> {
  const agents = self.cluster && await findAgents(self.cluster)
  const agent = agents?.get(node)
  if (agent === undefined) {
    throw new errorCodes.FST_WS_RELAY_INVALID_REQUEST(`node '${show(node)}' has no dashboard`)
  }
  return agent as Pid<AgentTopics>
}
