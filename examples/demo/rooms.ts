// The rooms of ../chat.ts with all that the page of the demo shows of them.
import type { FastifyInstance } from 'fastify'
import chat, { room, type Line } from '../chat.js'
import type { Processes } from '../../lib/index.js' // in your project: 'fastify-ws-relay'

const keptRooms = 1000

/** The last lines of each room, which outlive it when it crashes. */
export type Archive = Map<string, Line[]>

/** The answer of a room to `about`. */
export interface About { name: string, node: string, people: number }

/** The lines of a room. Only those of the newest rooms are kept. */
function linesOf (archive: Archive, name: string) {
  const lines = archive.get(name) ?? []
  archive.set(name, lines)
  if (archive.size > keptRooms) archive.delete(archive.keys().next().value!)
  return lines
}

/** Adds the rooms, and `/rooms`: a list of them. Without `archive`, a crash loses their lines. */
export async function rooms (app: FastifyInstance, { archive }: { archive?: Archive }) {
  await app.register(chat, {
    start: async (self, name) => {
      await (self.cluster ?? self).groups.join('rooms', self.pid)
      await room(self, name, archive && linesOf(archive, name))
    }
  })
  app.get('/rooms', async () => await listRooms(app.processes))
}

/** The rooms that answer in time, of all nodes. */
export async function listRooms (processes: Processes) {
  const { cluster, groups } = processes
  const rooms = cluster === undefined
    ? groups.members('rooms')
    : (await cluster.groups.members('rooms')).members
  const answers = await Promise.allSettled(
    rooms.map((pid) => processes.call(pid, 'about', undefined, { timeout: '1s' }))
  )
  return answers.flatMap((answer) => answer.status === 'fulfilled' ? [answer.value as About] : [])
}
