// The rooms of ../chat.ts on several nodes. Each name has one room in the cluster, on the node of
// the first client. Clients can enter it on all nodes.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { describe, entrance, maxRooms, room } from '../chat.js'
import type { Pid, Processes } from '../../lib/index.js' // in your project: 'fastify-ws-relay'

/** The state of the rooms of all nodes. */
export async function allRooms (processes: Processes) {
  const { members } = await processes.cluster!.groups.members('rooms')
  return await describe(processes, members)
}

const chat: FastifyPluginAsyncTypebox = async (app) => {
  const { processes } = app
  const { names, groups, nodes } = processes.cluster!
  const opening = new Map<string, Promise<Pid>>()
  const rooms = processes.keyed('room', {
    start: room, args: (name) => [name, processes.node], max: maxRooms, park: 0
  })

  const isDown = (pid: Pid) =>
    nodes().some(({ node, state }) => state === 'down' && pid.includes(`@${node}.`))

  /** The room of a name, on any node. */
  async function find (name: string) {
    const holder = await names.lookup(`room:${name}`)
    return holder === undefined || isDown(holder.pid) ? undefined : holder.pid
  }

  async function open (name: string, tries = 3): Promise<Pid> {
    const pid = await find(name)
    if (pid !== undefined) return pid
    const mine = await rooms.get(name)
    try {
      // The name of a lost node's room is free after 14 seconds. This call waits for 8 of them and
      // then rejects: the client gets a 503 with Retry-After, and tries again.
      await names.register(`room:${name}`, mine)
      await groups.join('rooms', mine)
      return mine
    } catch (err) {
      processes.exit(mine)
      // Another node was faster. A lookup may return nothing for a moment.
      if ((err as { code?: string }).code === 'FST_CLUSTER_NAME_TAKEN' && tries > 1) {
        return await open(name, tries - 1)
      }
      throw err
    }
  }

  /** Concurrent calls share one promise. */
  function enter (name: string) {
    const known = opening.get(name)
    if (known !== undefined) return known
    const result = open(name).finally(() => { opening.delete(name) })
    opening.set(name, result)
    return result
  }

  app.get('/rooms', async () => await allRooms(processes))

  app.get('/rooms/:room', entrance, async (request, reply) => {
    const name = request.params.room
    // A plain GET opens no room: the relay answers 426 for any target.
    const target = request.wsUpgradable ? await enter(name) : `room:${name}`
    return reply
      .relay(target, { heartbeat_interval: '30s', metadata: { name: request.query.name } })
      .send()
  })
}

export default chat
