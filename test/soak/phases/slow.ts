import { together } from '../rig/problems.js'
import { firstSlow } from '../server/room.js'
import { until } from '../rig/until.js'
import type { Clients, Phase, Rig } from '../rig/rig.js'
import type { Section } from '../report.js'

export const slow: Phase = {
  title: 'Slow readers, slow targets',
  about:
    'A room with more broadcasts than clients that do not read can buffer; then a flood into a ' +
    'target that has stopped, while other clients continue.',
  async run (rig, section) {
    await readers(rig, section)
    await flood(rig, section)
  }
}

async function readers (rig: Rig, section: Section): Promise<void> {
  const { fast, slow, messages } = rig.scale.slow
  await rig.server.ask('gather', 'room')
  const [quick, closed, dropping] = await Promise.all([rig.clients(), rig.clients(), rig.clients()])
  const enter = (
    clients: Clients,
    path: string,
    first: number,
    count: number,
    reading: 'numbers' | 'gaps'
  ) => clients.ask('open', { port: rig.port, path, first, count, reading })
  await Promise.all([
    enter(quick, '/room', 0, fast, 'numbers'),
    enter(closed, '/room', firstSlow, slow, 'numbers'),
    enter(dropping, '/dropping/room', 2 * firstSlow, slow, 'gaps')
  ])
  await rig.server.ask('tallied', 'room', { joins: fast + 2 * slow })
  await Promise.all([closed.ask('stopReading'), dropping.ask('stopReading')])
  await rig.server.ask('tell', 'room', messages)
  await quick.ask('reads', messages)
  const read = await quick.ask('totals')
  section.equal(
    'fast readers got every message of the room, in order',
    [read.read, together([read])],
    [fast * messages, 'none']
  )
  const during = await rig.server.ask('tallied', 'room', { leaves: slow })
  section.equal('who reads too slowly was closed, and nobody else', during.causes, { slow })
  await Promise.all([closed.ask('readOn'), dropping.ask('readOn')])
  section.holds(
    'the sockets of those who were closed are gone',
    await closed.ask('over'),
    JSON.stringify((await closed.ask('totals')).closed)
  )
  await gaps(rig, section, dropping, messages)
  const problems = together(
    await Promise.all([closed, dropping].map((clients) => clients.ask('totals')))
  )
  section.equal('what a slow reader read is in order', problems, 'none')
  await Promise.all([quick, dropping].map((clients) => clients.ask('leave', ['close'])))
  const after = await rig.server.ask('tallied', 'room', { leaves: fast + 2 * slow })
  section.equal(
    'joins and leaves are as many',
    [after.joins, after.leaves, together([after])],
    [fast + 2 * slow, fast + 2 * slow, 'none']
  )
}

/** With overflow: 'drop', each frame is either read or counted as dropped. */
async function gaps (
  rig: Rig,
  section: Section,
  dropping: Clients,
  messages: number
): Promise<void> {
  let seen: number[] = []
  let dropped = 0
  const all = async (): Promise<boolean> => {
    const [read, drops] = await Promise.all([
      dropping.ask('eachRead'),
      rig.server.ask('dropped', 'room')
    ])
    dropped = Object.values(drops).reduce((sum, count) => sum + count, 0)
    seen = Object.entries(read).map(([client, count]) => count + drops[client])
    return seen.every((count) => count === messages)
  }
  for (let tries = 0; tries < 600 && !(await all()); tries++) await until(() => false, 100)
  section.equal(
    "with `overflow: 'drop'` each frame was read or counted as dropped",
    [...new Set(seen)],
    [messages]
  )
  section.holds('and some were dropped', dropped > 0, dropped)
}

async function flood (rig: Rig, section: Section): Promise<void> {
  const { flooders, flood: messages, fast } = rig.scale.slow
  await rig.server.ask('hold', 'gate')
  await rig.server.ask('keep', 'beside', {})
  const [crowd, others] = await Promise.all([rig.clients(), rig.clients()])
  await crowd.ask('open', {
    port: rig.port,
    path: '/gate',
    first: 0,
    count: flooders,
    reading: 'nothing'
  })
  await others.ask('open', {
    port: rig.port,
    path: '/beside',
    first: 0,
    count: fast,
    reading: 'echoes'
  })
  await rig.server.ask('tallied', 'gate', { joins: flooders })
  await crowd.ask('flood', messages)
  const { paused, mailbox } = await rig.server.ask('full', 'gate')
  section.equal(
    'a flood into a target that has stopped: its clients are not read any more',
    paused,
    flooders
  )
  section.holds('its mailbox stays below its limit of 10000', mailbox < 10_000, mailbox)
  await others.ask('exchange', 200)
  const beside = await others.ask('totals')
  section.equal(
    'clients of other targets are served meanwhile',
    [beside.read, together([beside])],
    [fast * 200, 'none']
  )
  await rig.server.ask('release', 'gate')
  const tally = await rig.server.ask('tallied', 'gate', { messages: flooders * messages })
  section.equal(
    'let go on, it gets every message, in order',
    [tally.messages, together([tally])],
    [flooders * messages, 'none']
  )
  await Promise.all([crowd, others].map((clients) => clients.ask('leave', ['close'])))
  const after = await rig.server.ask('tallied', 'gate', { leaves: flooders })
  section.equal(
    'and one leave of each',
    [after.leaves, after.causes],
    [flooders, { client: flooders }]
  )
}
