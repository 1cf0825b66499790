import { together } from '../rig/problems.js'
import type { Phase } from '../rig/rig.js'

export const shutdown: Phase = {
  title: 'Shutdown',
  about:
    '`app.close()` while all clients send messages. The process of half of them is stopped, and ' +
    'answers no close frame.',
  async run (rig, section) {
    const { healthy, stuck } = rig.scale.shutdown
    const all = healthy + stuck
    await rig.server.ask('keep', 'shutdown', { related: true, relay: { heartbeat_interval: 1000 } })
    const [good, bad] = await Promise.all([rig.clients(), rig.clients()])
    await good.ask('open', {
      port: rig.port,
      path: '/shutdown',
      first: 0,
      count: healthy,
      reading: 'echoes'
    })
    await bad.ask('open', {
      port: rig.port,
      path: '/shutdown',
      first: healthy,
      count: stuck,
      reading: 'echoes'
    })
    await Promise.all([
      good.ask('exchange', 3),
      bad.ask('exchange', 3),
      rig.server.ask('tallied', 'shutdown', { joins: all })
    ])
    await Promise.all([good.ask('expectEnds'), bad.ask('expectEnds')])
    bad.freeze()
    await good.ask('talk', 1)
    const milliseconds = await rig.server.ask('shut')
    section.note(
      '`app.close()` resolved (`closeTimeout` is 2 s)',
      `after ${(milliseconds / 1000).toFixed(1)} s`
    )
    await good.ask('over')
    const totals = await good.ask('totals')
    section.equal('every client that answers saw 1001', totals.closed, { 1001: healthy })
    section.equal('and nothing out of order before', together([totals]), 'none')
    const tally = await rig.server.ask('tally', 'shutdown')
    section.equal(
      'every join has its leave, with the cause',
      [tally.joins, tally.leaves, tally.causes],
      [all, all, { shutdown: all }]
    )
    section.equal('nobody was told anything out of turn', together([tally]), 'none')
    const { connections, processes, relations, names, groups, deadlines, sockets, handshakes } =
      await rig.server.ask('snapshot')
    section.equal(
      'nothing is left',
      { connections, processes, relations, names, groups, deadlines, sockets, handshakes },
      {
        connections: 0,
        processes: 0,
        relations: 0,
        names: 0,
        groups: 0,
        deadlines: 0,
        sockets: 0,
        handshakes: 0
      }
    )
    const objects = await rig.server.ask('instances')
    if (objects !== undefined) {
      section.holds(
        'no connection is left on the heap (Node may still know the last socket)',
        objects.Connection <= 1,
        objects.Connection
      )
    }
    const { problems } = await rig.server.ask('complaints')
    section.equal(
      'nothing was uncaught',
      problems.count === 0 ? 'nothing' : problems.first.join('; '),
      'nothing'
    )
    bad.thaw()
    section.holds(
      'the stuck ones, let go on, find their sockets closed',
      await bad.ask('over'),
      JSON.stringify((await bad.ask('totals')).closed)
    )
    await rig.server.ask('leave')
    section.equal(
      'no timer and no handle holds the process: it ends by itself',
      await rig.ended(),
      { code: 0, signal: null }
    )
  }
}
