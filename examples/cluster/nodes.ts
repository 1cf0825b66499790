// The state of the cluster for the page, and messages from and to the launcher.
import { Type } from '@sinclair/typebox'
import { listRooms, type About } from '../demo/rooms.js'
import { protocol, type ClientMessages } from '../../lib/protocol/index.js'
import type { Process, Processes } from '../../lib/index.js' // in your project: 'fastify-ws-relay'

/** From the launcher to every node: the operating-system process of each running node. */
export type Running = Record<string, number>
/** From a node to the launcher. */
export type Command = { kill: string } | { start: string }

/** Messages of the page. */
export const control = protocol('nodes', {
  client: { kill: Type.String(), start: Type.String() }
})

type Topics = ClientMessages<typeof control> & {
  tick: undefined, rooms: About[], running: Running
}

/** One process on each node, for the pages that are connected to it. */
export async function nodes (
  self: Process<Topics>,
  processes: Processes,
  addresses: Record<string, string>,
  command: (command: Command) => void
) {
  const cluster = processes.cluster!
  let rooms: About[] = []
  let running: Running | undefined // unknown without a launcher
  let asking = false

  const snapshot = () => {
    const known = new Map(cluster.nodes().map(({ node, state }) => [node, state]))
    known.set(cluster.node, 'up')
    const list = Object.entries(addresses).map(([node, address]) => ({
      node,
      address,
      state: known.get(node) ?? 'unknown',
      runs: running === undefined ? undefined : node in running,
      process: running?.[node],
      rooms: rooms.filter((room) => room.node === node)
    }))
    return { here: cluster.node, nodes: list }
  }
  const show = () => { self.groups.broadcast('pages', 'nodes', snapshot()) }

  /** Not awaited: a killed node does not answer, and the pages should show its state at once. */
  const askRooms = () => {
    if (asking) return
    asking = true
    listRooms(processes)
      .then((found) => { self.send(self.pid, 'rooms', found) })
      .catch((err: unknown) => { self.log.warn({ err }, 'could not list the rooms') })
      .finally(() => { asking = false })
  }

  cluster.watch(self.pid) // from now on `@node` reports nodes that join and leave
  self.sendEvery('1s', self.pid, 'tick')
  await self.serve({
    'ws.join': ({ client_pid }) => {
      self.groups.join('pages', client_pid)
      show()
    },
    'ws.message': ({ topic, data: node }) => {
      if (Object.hasOwn(addresses, node)) command({ [topic]: node } as Command)
    },
    '@node': show,
    running: (processes) => {
      running = processes
      show()
    },
    rooms: (found) => {
      rooms = found
      show()
    },
    tick: () => { if (self.groups.members('pages').length > 0) askRooms() }
  }, () => {})
}
