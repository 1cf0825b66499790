import { once } from 'node:events'
import t, { type Test } from 'tap'
import { startEngine } from '../../examples/cluster/engine.js'
import { missing } from '../installed.js'
import { pause } from '../laps.js'
import { startCluster } from './fixtures/cluster.js'
import { Client } from './fixtures/client.js'
import { run } from './fixtures/run.js'

// A lease expires, and operating-system processes start.
t.setTimeout(300_000)

interface Row {
  node: string, state: string, runs: boolean, rooms: Array<{ name: string, people: number }>
}
interface Nodes { here: string, nodes: Row[] }

const row = ({ nodes }: Nodes, name: string) => nodes.find(({ node }) => node === name)!
const named = (...names: string[]) => (people: string[]) => people.join() === names.join()

/** The name of a lost room is free after its lease has expired. Until then clients get a 503. */
async function connect (t: Test, port: number, path: string): Promise<Client> {
  for (;;) {
    try {
      return await Client.connect(t, port, path)
    } catch (err) {
      if (!(err as Error).message.endsWith('503')) throw err
      await pause()
    }
  }
}

async function enter (t: Test, port: number, name: string) {
  const client = await connect(t, port, `/rooms/lobby?name=${name}`)
  const { node } = await client.next<{ node: string }>('welcome')
  return Object.assign(client, { node })
}

for (const engine of ['nats', 'redis'] as const) {
  const skip = missing(`${engine}-server`)
  t.test(
    `starts a room again on another node when its node is lost, with ${engine}`,
    { skip },
    async (t) => {
      const {
        ports: [a, b, c],
        line,
        stop
      } = await startCluster(t, ...(engine === 'redis' ? ['--redis'] : []))
      const nodes = await Client.connect(t, b, '/nodes')
      await nodes.next<Nodes>('nodes', (news) =>
        news.nodes.every(({ state, runs }) => state === 'up' && runs)
      )
      const ada = await enter(t, a, 'Ada')
      const grace = await enter(t, b, 'Grace')
      t.same([ada.node, grace.node], ['a', 'a'], 'the room is on the node of the first client')
      await grace.next('people', named('Ada', 'Grace'))
      ada.send({ topic: 'say', data: { key: '1', text: 'Good morning' } })
      t.match(await grace.next('line', ({ name }) => name !== undefined), {
        name: 'Ada',
        text: 'Good morning'
      })
      await nodes.next<Nodes>('nodes', (news) => row(news, 'a').rooms[0]?.people === 2)

      nodes.send({ topic: 'kill', data: 'a' })
      await line(/node a has ended \(SIGKILL\)/)
      t.same(await ada.closed, { code: 1006, reason: '' })
      t.same(await grace.closed, { code: 1012, reason: 'target node lost' })
      const news = await nodes.next<Nodes>('nodes', (news) => row(news, 'a').state === 'down')
      t.match([row(news, 'b').state, row(news, 'c').state], ['up', 'up'])

      // Both at once, each on a node without the room: one of them starts it.
      const again = await Promise.all([enter(t, b, 'Grace'), enter(t, c, 'Ada')])
      t.equal(again[0].node, again[1].node)
      t.not(again[0].node, 'a')
      for (const client of again) {
        await client.next('people', (people: string[]) => people.length === 2)
      }

      nodes.send({ topic: 'start', data: 'a' })
      await nodes.next<Nodes>(
        'nodes',
        (news) => row(news, 'a').state === 'up' && row(news, 'a').runs
      )
      const late = await enter(t, a, 'Edsger')
      t.equal(late.node, again[0].node, 'the new node knows where the room is')

      t.same(await (await fetch(`http://127.0.0.1:${a}/health`)).json(), { ready: true })
      t.equal((await fetch(`http://127.0.0.1:${a}/rooms/lobby?name=Ada`)).status, 426)
      t.match(await (await fetch(`http://127.0.0.1:${a}/rooms`)).json(), [
        { name: 'lobby', people: 3 }
      ])

      t.same(await stop(), [0, null])
      // The nodes stop side by side. A client whose room is on the node that stops first hears of
      // the room's node before its own.
      for (const client of [...again, late]) {
        const { code, reason } = await client.closed
        t.ok(
          ['1001 server shutting down', '1012 target node closing'].includes(`${code} ${reason}`),
          'each client was told that its node or the node of its room stops'
        )
      }
      t.same(await nodes.closed, { code: 1001, reason: 'server shutting down' })
    }
  )
}

t.test(
  'removes a client from its room when the node of the client is lost',
  { skip: missing('nats-server') },
  async (t) => {
    const {
      ports: [a, b]
    } = await startCluster(t)
    const ada = await enter(t, a, 'Ada')
    const grace = await enter(t, b, 'Grace')
    t.equal(grace.node, 'a')
    await ada.next('people', named('Ada', 'Grace'))
    const nodes = await Client.connect(t, a, '/nodes')
    for (const data of ['nobody', '__proto__', 1]) nodes.send({ topic: 'kill', data })
    for (const nonsense of ['', '{}', { topic: 'stop', data: 'a' }]) nodes.send(nonsense)
    nodes.send({ topic: 'kill', data: 'b' })
    await ada.next('line', ({ text }) => text === 'Grace left')
    t.ok(await ada.next('people', named('Ada')))
  }
)

t.test('explains how to install an engine when there is none', async (t) => {
  const { child } = run(t, 'cluster/start.ts', 0, { PATH: '/nowhere' })
  t.same(await once(child, 'exit'), [1, null])
  const { PATH } = process.env
  t.teardown(() => { process.env.PATH = PATH })
  process.env.PATH = '/nowhere'
  for (const engine of ['nats', 'redis'] as const) {
    await t.rejects(startEngine(engine), {
      message: new RegExp(`apt-get install ${engine}-server`)
    })
  }
})
