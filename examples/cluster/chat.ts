// The rooms of ../chat.ts on several nodes. Each room is one process in the cluster, on the node of
// its first client. Clients enter it on all nodes.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { describe, entrance, maxRooms, room } from '../chat.js'
import type { Processes } from '../../lib/index.js' // in your project: 'fastify-ws-relay'

/** The state of the rooms of all nodes. */
export async function allRooms (processes: Processes) {
  const { members } = await processes.cluster!.groups.members('rooms')
  return await describe(processes, members)
}

/** A room that the other nodes can list. */
const listedRoom: typeof room = async (self, name, node) => {
  await self.cluster!.groups.join('rooms', self.pid)
  await room(self, name, node)
}

const chat: FastifyPluginAsyncTypebox = async (app) => {
  const { processes } = app
  const rooms = processes.keyed('room', {
    start: listedRoom, args: (name) => [name, processes.node], max: maxRooms
  })

  app.get('/rooms', async () => await allRooms(processes))

  app.get('/rooms/:room', entrance, (request, reply) => {
    reply
      .relay(rooms.key(request.params.room), {
        heartbeat_interval: '30s', metadata: { name: request.query.name }
      })
      .send()
  })
}

export default chat
