import { together } from '../rig/problems.js'
import type { Phase } from '../rig/rig.js'

export const dead: Phase = {
  title: 'Dead peers',
  about:
    'The process of some clients is stopped: their sockets stay open, and they send no pong. ' +
    'Other clients continue.',
  async run (rig, section) {
    const { dead, living } = rig.scale.dead
    await rig.server.ask('keep', 'dead', {})
    const [stopped, others] = await Promise.all([rig.clients(), rig.clients()])
    await stopped.ask('open', {
      port: rig.port,
      path: '/dead',
      first: 0,
      count: dead,
      reading: 'echoes'
    })
    await others.ask('open', {
      port: rig.port,
      path: '/dead',
      first: dead,
      count: living,
      reading: 'echoes'
    })
    await Promise.all([stopped.ask('exchange', 1), others.ask('talk', 1)])
    await stopped.ask('expectEnds')
    stopped.freeze()
    const during = await rig.server.ask('tallied', 'dead', { leaves: dead, exits: dead })
    section.equal(
      'every dead client was noticed by its missing pong, and no other',
      during.causes,
      { ping_timeout: dead }
    )
    section.equal('each monitor told of one exit', during.exits, dead)
    stopped.thaw()
    section.holds(
      'their sockets were cut',
      await stopped.ask('over'),
      JSON.stringify((await stopped.ask('totals')).closed)
    )
    await others.ask('quiet')
    const totals = await others.ask('totals')
    section.equal(
      'those who live got every echo, in order',
      [totals.open, totals.sent - totals.read, together([during, totals])],
      [living, 0, 'none']
    )
    await others.ask('leave', ['close'])
    const after = await rig.server.ask('tallied', 'dead', {
      leaves: dead + living,
      exits: dead + living
    })
    section.equal(
      'joins, leaves and exits are as many',
      [after.joins, after.leaves, after.exits],
      [dead + living, dead + living, dead + living]
    )
  }
}
