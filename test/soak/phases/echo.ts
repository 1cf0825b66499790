import { setTimeout as sleep } from 'node:timers/promises'
import { together } from '../rig/problems.js'
import type { Phase } from '../rig/rig.js'

export const echo: Phase = {
  title: 'Steady echo',
  about:
    'Text and binary messages of 3 bytes to 70 KB, several of each client in flight. ' +
    'Memory is measured between the rounds.',
  async run (rig, section) {
    const { connections, depth, rounds, seconds } = rig.scale.echo
    await rig.server.ask('keep', 'echo', {})
    const crowd = await rig.clients()
    await crowd.ask('open', {
      port: rig.port,
      path: '/echo',
      first: 0,
      count: connections,
      reading: 'echoes'
    })
    const samples = []
    for (let round = 0; round <= rounds; round++) {
      await crowd.ask('talk', depth)
      await sleep(seconds * 1000)
      await crowd.ask('quiet')
      // The first round also creates objects that are made only once.
      samples.push(await rig.sample((await crowd.ask('totals')).read))
    }
    await crowd.ask('leave', ['close'])
    const totals = await crowd.ask('totals')
    const tally = await rig.server.ask('tallied', 'echo', {
      leaves: connections,
      exits: connections
    })
    section.equal('every message sent came to the target', tally.messages, totals.sent)
    section.equal('every message came back', totals.read, totals.sent)
    section.equal('as it was, in order, on both ways', together([tally, totals]), 'none')
    section.equal(
      'joins, leaves and exits are as many',
      [tally.joins, tally.leaves, tally.exits],
      [connections, connections, connections]
    )
    section.equal('every close was answered with its code', totals.closed, { 1000: connections })
    rig.growth(section, 'messages', samples)
  }
}
