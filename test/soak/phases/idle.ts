import { descriptorsOfNode, mostDescriptors } from '../rig/descriptors.js'
import { together } from '../rig/problems.js'
import { slope } from '../rig/slope.js'
import type { Phase } from '../rig/rig.js'

/** The number of connections in one client process. */
const perProcess = 4000

export const idle: Phase = {
  title: 'Idle connections',
  about:
    'Silent connections, with heartbeats to their targets and pings to their clients. ' +
    'At the end all close.',
  async run (rig, section) {
    const { connections, heartbeat, beats } = rig.scale.idle
    checkDescriptors(connections)
    const empty = await rig.sample(0)
    await rig.server.ask('keep', 'idle', { relay: { heartbeat_interval: heartbeat } })
    const crowds = await Promise.all(
      Array.from({ length: Math.ceil(connections / perProcess) }, () => rig.clients())
    )
    await Promise.all(
      crowds.map((crowd, i) => {
        const first = i * perProcess
        const count = Math.min(perProcess, connections - first)
        return crowd.ask('open', {
          port: rig.port,
          path: '/idle',
          first,
          count,
          reading: 'nothing'
        })
      })
    )
    const { joins } = await rig.server.ask('tallied', 'idle', { joins: connections })
    section.equal('every client has joined', joins, connections)
    const least = await rig.server.askFor(
      heartbeat * beats,
      'beaten',
      'idle',
      beats,
      heartbeat * beats * 2 + 60_000
    )
    section.holds(
      `every target had ${beats} heartbeats of each client`,
      least >= beats,
      `${least} at least`
    )
    const { sockets, connections: inTable, deadlines } = await rig.server.ask('snapshot')
    const objects = await rig.server.ask('instances')
    section.equal(
      'open sockets, connections in the table and live instances are as many',
      [sockets, inTable, objects?.Connection ?? connections],
      [connections, connections, connections]
    )
    section.holds(
      'their pings and heartbeats are on a few shared timers',
      deadlines < 200,
      `${deadlines} timers`
    )
    const crowded = await rig.sample(connections)
    section.note(
      'live memory of an idle connection, on the heap',
      `${(slope([empty, crowded]) / 1024).toFixed(1)} KiB`
    )
    const totals = await Promise.all(crowds.map((crowd) => crowd.ask('totals')))
    const unpinged = totals.reduce((sum, one) => sum + one.unpinged, 0)
    section.holds(
      'every client was pinged',
      unpinged === 0,
      `${totals.reduce((sum, { pings }) => sum + pings, 0)} pings, ${unpinged} clients without`
    )
    await Promise.all(crowds.map((crowd) => crowd.ask('leave', ['close'])))
    const after = await rig.server.ask('tallied', 'idle', {
      leaves: connections,
      exits: connections
    })
    section.equal(
      'each left once, closed by its client',
      [after.leaves, after.causes],
      [connections, { client: connections }]
    )
    section.equal('each monitor told of one exit', after.exits, connections)
    section.equal('nobody was told anything out of turn', together([after, ...totals]), 'none')
  }
}

/** @throws Error with instructions when the limit of descriptors is too low */
function checkDescriptors (connections: number): void {
  const most = mostDescriptors()
  const needed = connections + descriptorsOfNode
  if (most !== undefined && most < needed) {
    throw new Error(
      `${connections} connections need ${needed} descriptors in the server's process, ` +
        `and this user may open ${most}: raise the limit (ulimit -n ${needed}), ` +
        `or give --connections ${most - descriptorsOfNode}`
    )
  }
}
