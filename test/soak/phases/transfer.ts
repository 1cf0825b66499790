import { setTimeout as sleep } from 'node:timers/promises'
import { together } from '../rig/problems.js'
import type { Phase } from '../rig/rig.js'

export const transfer: Phase = {
  title: 'Transfers under traffic',
  about:
    'Targets transfer their clients to each other between numbered messages. ' +
    'One of ten transfers goes to a target that has ended.',
  async run (rig, section) {
    const { connections, depth, seconds } = rig.scale.transfer
    await rig.server.ask('move', 'transfer')
    const crowd = await rig.clients()
    await crowd.ask('open', {
      port: rig.port,
      path: '/transfer',
      first: 0,
      count: connections,
      reading: 'acknowledgements'
    })
    await crowd.ask('talk', depth)
    await sleep(seconds * 1000)
    await crowd.ask('quiet')
    await crowd.ask('leave', ['close', 'reset'])
    const totals = await crowd.ask('totals')
    let tally = await rig.server.ask('tallied', 'transfer', { messages: totals.sent })
    tally = await rig.server.ask('tallied', 'transfer', { leaves: tally.joins })
    const { inSequence, refused } = await rig.server.ask('judge', 'transfer')
    tally = await rig.server.ask('tally', 'transfer')
    const transfers = tally.joins - connections
    section.equal(
      'every message came to a target, and was acknowledged once',
      [tally.messages, totals.read],
      [totals.sent, totals.sent]
    )
    section.equal(
      'the stints of each client at its targets form one sequence without gap or double',
      inSequence,
      totals.sent
    )
    section.equal(
      'nothing before a join or after a leave, and never under the metadata of another target',
      together([tally, totals]),
      'none'
    )
    section.equal(
      'joins and leaves are as many, one more of each than transfers',
      [tally.leaves, tally.causes.transfer],
      [tally.joins, transfers]
    )
    section.holds(
      'clients were transferred',
      transfers > connections,
      `${transfers} transfers of ${connections} clients, ${totals.sent} messages`
    )
    section.holds(
      'a transfer to a target that is gone is refused and changes nothing',
      refused > 0,
      `${refused} refused`
    )
  }
}
