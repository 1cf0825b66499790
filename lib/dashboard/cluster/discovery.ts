import type { Cluster } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

/** The cluster-wide group of the agents: one process on each node with a dashboard. */
export const agentGroup = 'fastify-ws-relay/dashboard'

/** The agents of all nodes that answered, by node. */
export async function findAgents (cluster: Cluster): Promise<Map<string, Pid>> {
  const { members } = await cluster.groups.members(agentGroup)
  return new Map(members.map((pid) => [nodeOf(pid), pid]))
}

function nodeOf (pid: Pid): string {
  return pid.slice(pid.indexOf('@') + 1, pid.lastIndexOf('.'))
}
