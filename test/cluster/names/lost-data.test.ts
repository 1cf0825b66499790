// Names when the register is empty, or has lost its data.
import t from 'tap'
import { TestCluster } from '../support.js'
import { timings } from '../../../lib/cluster/timing.js'
import type { NodeNames } from '../../../lib/cluster/names/names.js'

t.test('writes its names again when the register has lost its data', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const pid = a.here.spawn()
  const held = await cluster.register(a, 'leader', pid)
  cluster.loseData()
  await cluster.run(3000)
  const there = b.here.spawn()
  const claim = (): Promise<unknown> =>
    cluster.settle(b.cluster.names.register('leader', there).catch((err: unknown) => err))
  t.match(await claim(), { code: 'FST_CLUSTER_UNAVAILABLE' }, 'nothing is granted for a time')
  await cluster.run(timings.default.breakLease)
  t.match(await claim(), { code: 'FST_CLUSTER_NAME_TAKEN' })
  t.strictSame((a.cluster.names as NodeNames).holder('leader'), held)
  t.strictSame(await cluster.lookup(b, 'leader'), held)
  t.strictSame(a.reported, [])
})

t.test('keeps a name when the answer to its record in the new register was lost', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const held = await cluster.register(a, 'leader')
  const { cas } = a.transport
  let sets = 0
  a.transport.cas = async (key, value, revision) => {
    const answer = await cas.call(a.transport, key, value, revision)
    if (key.startsWith('test.name.') && ++sets === 1) throw new Error('it broke')
    return answer
  }
  cluster.loseData()
  await cluster.run(4000)
  t.ok(sets > 1, 'it was written twice')
  t.strictSame((a.cluster.names as NodeNames).holder('leader'), held)
  t.strictSame(a.reported, [])
})

t.test('registers again when the register is replaced before its answer', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  await cluster.register(a, 'first')
  const { cas, get } = a.transport
  let isWritten = false
  a.transport.cas = async (key, value, revision) => {
    const answer = await cas.call(a.transport, key, value, revision)
    isWritten ||= key.startsWith('test.name.')
    return answer
  }
  let generations = 0
  a.transport.get = async (key) => {
    const entry = await get.call(a.transport, key)
    if (!isWritten || entry === undefined || !key.startsWith('test.generation')) return entry
    if (++generations > 1) return entry
    const value = JSON.parse(Buffer.from(entry.value).toString()) as object
    return { ...entry, value: Buffer.from(JSON.stringify({ ...value, id: 'another store' })) }
  }
  const pid = a.here.spawn()
  t.match(await cluster.register(a, 'leader', pid), { pid })
  t.ok(generations > 1, 'the answer with another generation was not believed')
  t.match(await cluster.lookup(b, 'leader'), { pid })
})

t.test('loses a name that another node holds in the new register', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const pid = a.here.spawn()
  await cluster.register(a, 'leader', pid)
  cluster.engine.stop(true)
  const key = `test.name.${Buffer.from('leader').toString('base64url')}`
  const record = {
    pid: b.here.spawn(),
    node: 'b',
    incarnation: parseInt(b.here.suffix.split('.')[1], 36),
    base: 1,
    claim: 'x'
  }
  cluster.engine.cas(key, Buffer.from(JSON.stringify(record)), 0)
  cluster.engine.start()
  await cluster.run(5000)
  t.match(a.reported, [{ lost: 'leader', pid }])
  t.equal(a.here.processes.get(pid)!.watchers.size, 0)
})

t.test('deletes a name from the new register when it ends while records are written', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  // More than one report contains.
  const pids = Array.from({ length: 300 }, () => a.here.spawn())
  await cluster.settle(Promise.all(pids.map((pid, i) => a.cluster.names.register(`name${i}`, pid))))
  const { cas } = a.transport
  const written: string[] = []
  const ended: string[] = []
  const end = (name: string): void => {
    ended.push(name)
    a.here.end(pids[Number(name.slice('name'.length))], 'done')
  }
  a.transport.cas = async (key, value, revision) => {
    const name = Buffer.from(key.slice('test.name.'.length), 'base64url').toString()
    const isWritten = key.startsWith('test.name.') && value !== undefined
    if (isWritten) written.push(name)
    const answer = await cas.call(a.transport, key, value, revision)
    if (isWritten && ended.length === 0) {
      end(name)
      end(pids.map((_, i) => `name${i}`).find((name) => !written.includes(name))!)
    }
    return answer
  }
  cluster.loseData()
  await cluster.run(15_000)
  t.equal(written.length, 299, 'one was given back before its turn')
  t.strictSame(a.reported, [])
  t.equal(
    (await cluster.lookup(b, written[1]))?.pid,
    pids[Number(written[1].slice('name'.length))]
  )
  for (const name of ended) {
    t.equal(await cluster.lookup(b, name), undefined)
    t.ok(await cluster.register(b, name))
  }
})

t.test('lets the first name of an empty register wait from when its node joined', async (t) => {
  const cluster = new TestCluster(false)
  const [a] = await cluster.start('a')
  const early = cluster.register(a, 'leader')
  await t.rejects(early, { code: 'FST_CLUSTER_UNAVAILABLE', headers: { 'retry-after': '5' } })
  await cluster.run(timings.default.breakLease)
  const start = cluster.world.now
  const [b] = await cluster.start('b')
  t.ok(
    await cluster.register(b, 'leader'),
    'also of a node that has just joined'
  )
  t.ok(cluster.world.now - start < 3000, 'at once')
})

t.test(
  'gives each holder a higher fence when the clock of the next is 10 minutes late',
  async (t) => {
    const cluster = new TestCluster(false)
    const a = cluster.make('a')
    const b = cluster.make('b')
    for (const [node, ahead] of [
      [a, 600_000],
      [b, 0]
    ] as const) {
      node.machine.now = () => cluster.world.now + ahead
      const incarnation = await cluster.settle(node.cluster.start())
      node.here.suffix = `@${node.cluster.node}.${incarnation.toString(36)}`
    }
    await cluster.run(timings.default.breakLease + 1000)
    let last = 0
    const grant = async ({ cluster: node, here }: typeof a, how: string): Promise<void> => {
      const pid = here.spawn()
      const { fence } = await cluster.settle(node.names.register('leader', pid))
      t.ok(fence > last, `${how}: ${fence} is above ${last}`)
      t.ok(Number.isSafeInteger(fence))
      t.equal(
        (await cluster.lookup(b, 'leader'))?.fence,
        fence,
        'as others see it'
      )
      last = fence
      here.end(pid, 'done')
      await cluster.run(100)
    }
    await grant(a, 'the first')
    await grant(b, 'after a release')
    await grant(a, 'and another')
    cluster.engine.stop(false)
    await cluster.run(1000)
    cluster.engine.start()
    await cluster.run(1000)
    await grant(b, 'after a restart of the engine')
    cluster.engine.stop(true)
    await cluster.run(1000)
    cluster.engine.start()
    await cluster.run(timings.default.breakLease + 2000)
    await grant(b, 'after a loss of data')
    await grant(a, 'and after that')
  }
)

t.test(
  'keeps its fence when the register loses its data; the next holder has a higher one',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const pid = a.here.spawn()
    const held = await cluster.register(a, 'leader', pid)
    cluster.loseData()
    await cluster.run(timings.default.breakLease + 2000)
    t.strictSame(await cluster.lookup(b, 'leader'), held)
    a.here.end(pid, 'done')
    await cluster.run(100)
    const next = await cluster.register(b, 'leader')
    t.ok(next.fence > held.fence)
  }
)
