// The rooms of ../chat.ts on many nodes. A name has one room in the whole cluster: on the node where
// somebody entered it first, while people enter on all nodes.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { describe, entrance, maxRooms, room } from '../chat.js'
import type { Pid, Processes } from '../../lib/index.js' // in your project: 'fastify-ws-relay'

/** What rooms of all nodes say of themselves. */
export async function allRooms (processes: Processes) {
  const { members } = await processes.cluster!.groups.members('rooms')
  return await describe(processes, members)
}

const chat: FastifyPluginAsyncTypebox = async (app) => {
  const { processes } = app
  const { names, groups, nodes } = processes.cluster!
  const supervisor = processes.supervise({ name: 'rooms' })
  const opening = new Map<string, Promise<Pid | undefined>>()
  let started = 0

  const isDown = (pid: Pid) => nodes().some(({ node, state }) => state === 'down' && pid.includes(`@${node}.`))

  /** The room of a name, on whichever node it is. */
  async function find (name: string) {
    const holder = await names.lookup(`room:${name}`)
    return holder === undefined || isDown(holder.pid) ? undefined : holder.pid
  }

  /** @returns undefined where there are too many rooms */
  async function open (name: string, tries = 3): Promise<Pid | undefined> {
    const pid = await find(name)
    if (pid !== undefined || supervisor.children().length >= maxRooms) return pid
    const mine = supervisor.startChild({ id: `${name} ${++started}`, start: room, args: [name, processes.node], restart: 'temporary' })
    try {
      // When the node of the last holder was lost, the name is free 14 seconds later. This waits for 8 of them and
      // then rejects: the client gets a 503 with Retry-After, and tries again.
      await names.register(`room:${name}`, mine)
      await groups.join('rooms', mine)
      return mine
    } catch (err) {
      processes.exit(mine)
      // Another node was quicker; a lookup may be behind for a moment.
      if ((err as { code?: string }).code === 'FST_CLUSTER_NAME_TAKEN' && tries > 1) return await open(name, tries - 1)
      throw err
    }
  }

  /** All who ask at once wait for the same. */
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
    const target = request.wsUpgradable ? await enter(name) : `room:${name}` // a plain GET is answered 426
    if (target === undefined) return await reply.code(503).send({ message: 'No such room, and too many others' })
    return reply.relay(target, { heartbeat_interval: '30s', metadata: { name: request.query.name } }).send()
  })
}

export default chat
