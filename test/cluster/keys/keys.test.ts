// One process for each key in a whole cluster: real nodes on a memory engine.
import t from 'tap'
import { createProcesses } from '../../../lib/process/index.js'
import { deferred } from '../../process/helpers.js'
import { until } from '../../helpers.js'
import { Town, twoNodes, twoNodesWithX } from './town.js'

t.test('has one process for a key, and reaches it from each node', async (t) => {
  const { town, a, b } = await twoNodes(t)
  const pid = await a.keyed.get('x')
  t.equal(await b.keyed.get('x'), pid)
  t.equal(b.keyed.peek('x'), pid)
  t.same([a.keyed.list(), b.keyed.list()], [['x'], []])
  t.equal(b.processes.send(b.keyed.key('x'), 'one'), true)
  t.equal(await b.processes.call(b.keyed.key('x'), 'ask'), 'a')
  t.equal(await a.processes.call(b.keyed.key('x'), 'ask'), 'a')
  t.same(town.mail, ['one,ask,ask'])
  t.match(b.processes.stats().keyed, { room: { alive: 0, started: 0 } })
  t.equal(b.processes.alive(b.keyed.key('x')), false, 'it is not a process of this node')
  t.equal(b.processes.names.lookup(b.keyed.key('x')), undefined)
})

t.test('starts one process for 1 000 first requests on three nodes', async (t) => {
  const town = new Town(t)
  const nodes = [await town.add('a'), await town.add('b'), await town.add('c')]
  const asked: Promise<unknown>[] = []
  for (let i = 0; i < 334; i++) {
    for (const { keyed, processes } of nodes) {
      asked.push(i % 2 === 0 ? keyed.get('x') : processes.call(keyed.key('x'), 'ask'))
    }
  }
  const answers = new Set(await Promise.all(asked))
  t.equal(asked.length, 1002)
  t.equal(town.rooms.length, 1)
  t.same(answers, new Set([town.rooms[0].pid, town.rooms[0].node]))
})

t.test('keeps the order of messages from each node', async (t) => {
  const { town, a, b } = await twoNodes(t)
  await a.keyed.get('x')
  for (let i = 0; i < 100; i++) {
    t.equal(b.processes.send(b.keyed.key('x'), 'note', { data: String(i) }), true)
    if (i % 10 === 0) await new Promise(setImmediate)
  }
  await b.processes.call(b.keyed.key('x'), 'ask')
  const numbers = Array.from({ length: 100 }, (_, i) => `note ${i}`)
  t.same(town.rooms[0].mail, [...numbers, 'ask'])
})

t.test('gives the error of a start to those that wait on other nodes', async (t) => {
  const { town, a, b } = await twoNodes(t, { maxRestarts: 4 })
  const loading = deferred()
  town.body = async () => {
    await loading.promise
    throw new TypeError('unloadable')
  }
  const first = a.keyed.get('x')
  const second = b.keyed.get('x')
  const call = b.processes.call(b.keyed.key('x'), 'ask')
  const results = Promise.allSettled([first, second, call])
  loading.resolve()
  t.match(await results, Array(3).fill({
    status: 'rejected', reason: { name: 'TypeError', message: 'unloadable' }
  }))
  while (town.rooms.length < 5) await t.rejects(b.keyed.get('x'), { message: 'unloadable' })
  await t.rejects(b.keyed.get('x'), { code: 'FST_PROCESS_REFUSED', message: /@room\/x/ })
})

t.test('starts the next process on the node that is asked for it', async (t) => {
  const { town, a, b } = await twoNodesWithX(t)
  a.processes.send(a.keyed.key('x'), 'stop')
  await until(() => b.keyed.peek('x') === undefined)
  const pid = await b.keyed.get('x')
  t.same(town.rooms.map(({ node }) => node), ['a', 'b'])
  t.equal(await a.keyed.get('x'), pid)
})

t.test('starts a successor where the process has failed', async (t) => {
  const { town, a, b } = await twoNodesWithX(t)
  a.processes.send(a.keyed.key('x'), 'crash')
  await until(() => b.keyed.peek('x') === undefined)
  await b.keyed.get('x')
  t.same(town.rooms.map(({ node }) => node), ['a', 'a'])
  t.match(a.processes.stats().keyed, { room: { crashed: 1, started: 2 } })
})

t.test('spreads keys over the nodes, and finds those that were started before', async (t) => {
  const { town, a, b } = await twoNodes(t, { place: 'spread' })
  const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
  const pids = await Promise.all(keys.map((key) => a.keyed.get(key)))
  const nodes = new Set(town.rooms.map(({ node }) => node))
  t.same(nodes, new Set(['a', 'b']))
  t.same(await Promise.all(keys.map((key) => b.keyed.get(key))), pids)
  const c = await town.add('c')
  t.same(await Promise.all(keys.map((key) => c.keyed.get(key))), pids, 'the hash names c for some')
  t.equal(town.rooms.length, 40)
  const later = Array.from({ length: 40 }, (_, i) => `later ${i}`)
  await Promise.all(later.map((key) => a.keyed.get(key)))
  t.ok(town.rooms.some(({ node }) => node === 'c'))
})

t.test('spreads no key to a node without its kind', async (t) => {
  const town = new Town(t, { place: 'spread' })
  const a = await town.add('a')
  await town.cluster.node('b')
  const keys = Array.from({ length: 20 }, (_, i) => `k${i}`)
  await Promise.all(keys.map((key) => a.keyed.get(key)))
  t.same(new Set(town.rooms.map(({ node }) => node)), new Set(['a']))
})

t.test('limits the processes of each node', async (t) => {
  const town = new Town(t)
  const [a, b] = [await town.add('a', { max: 1 }), await town.add('b', { max: 1 })]
  await a.keyed.get('x')
  await b.keyed.get('y')
  t.equal(await a.processes.call(a.keyed.key('y'), 'ask'), 'b')
  t.equal(await b.processes.call(b.keyed.key('x'), 'ask'), 'a')
  await t.rejects(a.keyed.get('z'), { code: 'FST_PROCESS_TOO_MANY', statusCode: 503 })
})

t.test('stops a process from another node, and waits for its clean-up', async (t) => {
  const { town, a, b } = await twoNodes(t)
  const cleaning = deferred()
  town.cleanUp = () => cleaning.promise
  await a.keyed.get('x')
  let isStopped = false
  const stopped = b.keyed.stop('x').then(() => { isStopped = true })
  await until(() => a.keyed.peek('x') === undefined)
  t.equal(isStopped, false)
  cleaning.resolve()
  await stopped
  t.same(a.processes.stats().exited, { shutdown: 1 })
  await b.keyed.stop('x')
})

t.test('passes on a key when its node closes', async (t) => {
  const { town, a, b } = await twoNodesWithX(t)
  await a.processes.close()
  await until(() => b.keyed.peek('x') === undefined)
  await b.keyed.get('x')
  t.same(town.rooms.map(({ node }) => node), ['a', 'b'])
})

t.test('keeps nothing of dead keys on any node', async (t) => {
  const { a, b } = await twoNodes(t)
  const sizes = (): unknown => {
    return [a, b].map(({ processes }) => processes.stats().alive)
  }
  for (let i = 0; i < 50; i++) {
    await a.keyed.get(`a${i}`)
    await b.keyed.get(`b${i}`)
    await Promise.all([a.keyed.get(`b${i}`), b.keyed.get(`a${i}`)])
  }
  for (let i = 0; i < 50; i++) {
    b.processes.send(b.keyed.key(`a${i}`), 'stop')
    a.processes.send(a.keyed.key(`b${i}`), 'stop')
  }
  await until(() => String(sizes()) === '0,0')
  for (const { keyed } of [a, b]) {
    await until(() => Array.from({ length: 50 }, (_, i) => i).every((i) => {
      return keyed.peek(`a${i}`) === undefined && keyed.peek(`b${i}`) === undefined
    }))
  }
})

t.test('ends its processes when its node loses its names', async (t) => {
  const town = new Town(t)
  const a = await town.add('a')
  const pid = await a.keyed.get('x')
  const exited = a.processes.exited(pid)
  const other = createProcesses({ node: 'a', cluster: town.cluster.engine(), closeTimeout: 20 })
  t.teardown(() => other.close())
  await other.ready()
  t.match(await exited, { reason: 'name_lost' })
  await t.rejects(a.keyed.get('x'))
})
