// The list of processes for the page. A real page would not show PIDs: they are addresses inside
// the server. No server should ever accept one from a client.
import type { Process, Processes } from '../../lib/index.js' // in your project: 'fastify-ws-relay'

const maxRows = 50

/** The newest processes first. */
export function snapshot (processes: Processes) {
  const pids = processes.list()
  const rows = pids.slice(-maxRows).reverse().flatMap((pid) => {
    const info = processes.info(pid)
    if (info === undefined) return []
    const { kind, label, names, status, mailbox, groups, uptime, target, connected, parked } = info
    const facts = { target, connected, parked } // of a connection
    return [{ pid, kind, label, names, status, mailbox, groups, uptime, ...facts }]
  })
  const { alive, delivered, longestTurn } = processes.stats()
  return { rows, more: pids.length - rows.length, stats: { alive, delivered, longestTurn } }
}

/** Sends the list to every open page once a second. */
export async function census (self: Process<{ tick: undefined }>, processes: Processes) {
  self.sendEvery('1s', self.pid, 'tick')
  await self.serve({
    'ws.join': ({ client_pid }) => {
      self.groups.join('pages', client_pid)
      self.send(client_pid, 'processes', snapshot(processes))
    },
    tick: () => {
      if (self.groups.members('pages').length > 0) {
        self.groups.broadcast('pages', 'processes', snapshot(processes))
      }
    }
  }, () => {}) // messages of the pages are ignored
}
