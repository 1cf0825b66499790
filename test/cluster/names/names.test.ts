import t from 'tap'
import { crash, TestCluster } from '../support.js'
import { timings } from '../../../lib/cluster/timing.js'
import type { Names } from '../../../lib/cluster/names/names.js'
import type { ClusterName } from '../../../types/cluster.js'
import type { Pid } from '../../../types/pid.js'

t.test(
  'takes over a name when the lease of a dead node was not renewed for long enough',
  async (t) => {
    for (let phase = 0; phase < 2000; phase += 250) {
      const cluster = new TestCluster()
      const [a, b] = await cluster.start('a', 'b')
      const { fence } = await cluster.settle(a.cluster.names.register('leader', a.here.spawn()))
      await cluster.run(phase)
      const pid = b.here.spawn()
      const died = cluster.world.now
      await crash(a)
      let taken: { readonly fence: number } | undefined
      while (taken === undefined) {
        taken = await cluster.settle(b.cluster.names.register('leader', pid)).catch(async () => {
          await cluster.run(200)
          return undefined
        })
      }
      const took = cluster.world.now - died
      const { breakLease, renew } = timings.default
      t.ok(took > breakLease - renew && took < breakLease + 500, `after ${took} ms`)
      t.ok(taken.fence > fence)
    }
  }
)

t.test('one process has a name at a time, and gives it back with its end, or before', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const [one, two] = [a.here.spawn(), a.here.spawn()]
  const there = b.here.spawn()
  const { names } = a.cluster
  const first = await cluster.settle(names.register('leader', one))
  t.equal(first.pid, one)
  t.strictSame(await cluster.settle(names.register('leader', one)), first, 'again')
  await t.rejects(cluster.settle(names.register('leader', two)), {
    code: 'FST_CLUSTER_NAME_TAKEN',
    message: new RegExp(one)
  })
  await t.rejects(cluster.settle(b.cluster.names.register('leader', there)), {
    code: 'FST_CLUSTER_NAME_TAKEN',
    message: new RegExp(one)
  })
  t.strictSame(await cluster.settle(b.cluster.names.lookup('leader')), first)
  t.strictSame((names as Names).holder('leader'), first)
  t.equal(await cluster.settle(b.cluster.names.unregister('leader')), false)
  t.equal(await cluster.settle(names.unregister('leader')), true)
  t.equal((names as Names).holder('leader'), undefined)
  t.equal(await cluster.settle(b.cluster.names.lookup('leader')), undefined)
  const second = await cluster.settle(b.cluster.names.register('leader', there))
  t.ok(second.fence > first.fence)
  b.here.end(there, 'done')
  await cluster.run(100)
  t.equal(await cluster.settle(names.lookup('leader')), undefined)
  await cluster.run(10_000)
  t.equal(a.cluster.size + b.cluster.size, 0)
  t.equal(a.here.processes.get(one)!.watchers.size, 0)
})

t.test('two of one node that want a name take turns', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const [one, two] = [a.here.spawn(), a.here.spawn()]
  const claims = Promise.allSettled([
    a.cluster.names.register('leader', one),
    a.cluster.names.register('leader', two)
  ])
  t.match(await cluster.settle(claims), [
    { status: 'fulfilled', value: { pid: one } },
    { status: 'rejected', reason: { code: 'FST_CLUSTER_NAME_TAKEN' } }
  ])
})

t.test('register refuses an invalid name, and a PID that is no living process of this node', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const { names } = a.cluster
  await t.rejects(names.register('@no/name', a.here.spawn()), { code: 'FST_PROCESS_INVALID_NAME' })
  await t.rejects(names.lookup(''), { code: 'FST_PROCESS_INVALID_NAME' })
  await t.rejects(names.unregister('1@node.x'), { code: 'FST_PROCESS_INVALID_NAME' })
  for (const pid of ['x', 5]) {
    await t.rejects(names.register('leader', pid as Pid), { code: 'FST_PROCESS_INVALID_PID' })
  }
  for (const pid of [b.here.spawn(), `99${a.here.suffix}`]) {
    await t.rejects(names.register('leader', pid as Pid), { code: 'FST_PROCESS_NOT_ALIVE' })
  }
  const pid = a.here.spawn()
  const claim = names.register('leader', pid)
  a.here.end(pid, 'done')
  await t.rejects(
    cluster.settle(claim),
    { code: 'FST_PROCESS_NOT_ALIVE' },
    'it ended while it was asked for'
  )
  await cluster.run(10_000)
  t.equal(a.cluster.size, 0)
  t.equal(await cluster.settle(names.lookup('leader')), undefined)
})

t.test(
  'an engine that does not answer is one coded error, and what it may have done is undone',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const pid = a.here.spawn()
    await cluster.settle(a.cluster.names.register('other', pid))
    const { cas, get } = a.transport
    a.transport.get = () => Promise.reject(new Error('it is away'))
    await t.rejects(cluster.settle(a.cluster.names.lookup('leader')), {
      code: 'FST_CLUSTER_UNAVAILABLE',
      cause: { message: 'it is away' }
    })
    await t.rejects(cluster.settle(a.cluster.names.register('leader', pid)), {
      code: 'FST_CLUSTER_UNAVAILABLE'
    })
    a.transport.get = get
    // The register sets the name, and fails before the answer arrives.
    a.transport.cas = async (key, value, revision) => {
      const answer = await cas.call(a.transport, key, value, revision)
      if (!key.startsWith('test.name.')) return answer
      a.transport.get = () => Promise.reject(new Error('it is away'))
      throw new Error('it broke')
    }
    await t.rejects(cluster.settle(a.cluster.names.register('leader', pid)), {
      code: 'FST_CLUSTER_UNAVAILABLE'
    })
    Object.assign(a.transport, { cas, get })
    t.match(await cluster.settle(b.cluster.names.lookup('leader')), { pid })
    t.equal(
      await cluster.settle(a.cluster.names.lookup('leader')),
      undefined,
      'it stands there, and is not held'
    )
    await cluster.run(12_000)
    t.ok(
      await cluster.settle(b.cluster.names.register('leader', b.here.spawn())),
      'it was taken out'
    )
    // A read reveals the unknown outcome.
    let breaks = 1
    a.transport.cas = async (key, value, revision) => {
      const answer = await cas.call(a.transport, key, value, revision)
      if (key.startsWith('test.name.') && breaks-- > 0) throw new Error('it broke')
      return answer
    }
    t.match(await cluster.settle(a.cluster.names.register('third', pid)), { pid })
  }
)

t.test('a name that is unregistered during an outage is deleted when the engine is back', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  await cluster.settle(a.cluster.names.register('leader', a.here.spawn()))
  const { cas, get } = a.transport
  const away = (): Promise<never> => Promise.reject(new Error('it is away'))
  Object.assign(a.transport, { cas: away, get: away })
  t.equal(await cluster.settle(a.cluster.names.unregister('leader')), true)
  await cluster.run(3000)
  Object.assign(a.transport, { cas, get })
  await cluster.run(12_000)
  t.equal(a.cluster.size, 0)
  t.ok(await cluster.settle(b.cluster.names.register('leader', b.here.spawn())))
})

t.test('an answer that comes after a fence is void', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const [one, two] = [a.here.spawn(), a.here.spawn()]
  await cluster.settle(a.cluster.names.register('other', one))
  const { cas } = a.transport
  let held: Promise<void> | undefined
  let release = (): void => {}
  // The name is set, and the lease expires while the answer is in flight.
  a.transport.cas = async (key, value, revision) => {
    if (key.startsWith('test.lease.') && held !== undefined) throw new Error('it is away')
    const answer = await cas.call(a.transport, key, value, revision)
    if (!key.startsWith('test.name.') || value === undefined || held !== undefined) return answer
    held = new Promise((resolve) => { release = resolve })
    await held
    return answer
  }
  const claim = a.cluster.names.register('leader', two).catch((err: unknown) => err)
  await cluster.run(1900)
  t.equal((a.cluster.names as Names).holder('leader'), undefined)
  // The register waits 2 s for an answer. The lease of the other name expires before that.
  a.machine.frozenUntil = cluster.world.now + timings.default.lease
  release()
  await cluster.run(timings.default.lease)
  t.match(await cluster.settle(claim), { code: 'FST_CLUSTER_UNAVAILABLE' })
  t.equal((a.cluster.names as Names).holder('leader'), undefined)
  t.match(a.reported, [{ lost: 'other', pid: one }])
})

t.test('renews a lease that is about to expire before it grants a name', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const { cas, get } = a.transport
  const { lease, renew } = timings.default
  let isWritten = false
  let renewals = 0
  a.transport.cas = async (key, value, revision) => {
    if (isWritten && key.startsWith('test.lease.')) renewals++
    isWritten ||= key.startsWith('test.name.')
    return await cas.call(a.transport, key, value, revision)
  }
  a.transport.get = async (key) => {
    const entry = await get.call(a.transport, key)
    // The name is written, and the last answer of the attempt is read late.
    if (isWritten) a.machine.now = () => cluster.world.now + lease - renew + 1
    return entry
  }
  const pid = a.here.spawn()
  const seen = a.cluster.names.register('leader', pid).then((held) => ({ held, renewals }))
  t.match(await cluster.settle(seen), { held: { pid }, renewals: 1 })
})

t.test(
  'logs no lost lease and counts no fence when a node only tries for a name that is taken',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const pid = a.here.spawn()
    await cluster.settle(a.cluster.names.register('leader', pid))
    for (let i = 0; i < 3; i++) {
      await t.rejects(cluster.settle(b.cluster.names.register('leader', b.here.spawn())), {
        code: 'FST_CLUSTER_NAME_TAKEN'
      })
      await cluster.run(timings.default.lease + 100)
    }
    t.equal(b.cluster.stats().fences, 0)
    t.strictSame(
      b.logged.filter(({ level }) => level !== 'info'),
      []
    )
  }
)

t.test('goes on from what it wrote when nobody heard of the outcome', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const pid = a.here.spawn()
  const { cas } = a.transport
  let sets = 0
  a.transport.cas = async (key, value, revision) => {
    const answer = await cas.call(a.transport, key, value, revision)
    if (key.startsWith('test.name.') && ++sets === 1) throw new Error('it broke')
    return answer
  }
  const held = await cluster.settle(a.cluster.names.register('leader', pid))
  t.equal(sets, 1, 'it is not claimed again')
  t.strictSame(await cluster.settle(b.cluster.names.lookup('leader')), held)
})

t.test(
  'a name that is held is not confirmed when the lease has run out while the engine was asked',
  async (t) => {
    const cluster = new TestCluster()
    const [a] = await cluster.start('a')
    const pid = a.here.spawn()
    await cluster.settle(a.cluster.names.register('leader', pid))
    const { get } = a.transport
    a.transport.get = async (key) => {
      const entry = await get.call(a.transport, key)
      // The event loop stalls, and something else than the timer of the lease runs first.
      if (key.startsWith('test.name.')) {
        a.machine.now = () => cluster.world.now + timings.default.lease + 1000
      }
      return entry
    }
    await t.rejects(cluster.settle(a.cluster.names.register('leader', pid)), {
      code: 'FST_CLUSTER_UNAVAILABLE',
      message: /could not hold the name 'leader'/
    })
    t.equal((a.cluster.names as Names).holder('leader'), undefined)
  }
)

t.test(
  'loses its names when it is cut off for the time of a lease, before another node has them',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const pid = a.here.spawn()
    const { fence } = await cluster.settle(a.cluster.names.register('leader', pid))
    await cluster.run(5000)
    a.transport.partitioned = true
    a.transport.cut()
    const there = b.here.spawn()
    const since = cluster.world.now
    let lostAt: number | undefined
    const state: { taken?: ClusterName } = {}
    const claim = async (): Promise<void> => {
      while (state.taken === undefined) {
        state.taken = await b.cluster.names.register('leader', there).catch(() => undefined)
        await new Promise<void>((resolve) => {
          b.machine.after(100, resolve)
        })
      }
    }
    const claiming = claim()
    while (state.taken === undefined) {
      await cluster.run(20)
      if (lostAt === undefined && a.reported.length > 0) lostAt = cluster.world.now
    }
    const took = cluster.world.now - since
    await cluster.settle(claiming)
    t.match(a.reported, [{ lost: 'leader', pid }])
    const { lease, breakLease } = timings.default
    t.ok(lostAt! - since <= lease + 200, `lost after ${lostAt! - since} ms`)
    t.ok(took > lostAt! - since && took < breakLease + 800, `taken over after ${took} ms`)
    t.ok(state.taken.fence > fence)
    a.transport.partitioned = false
    a.transport.reconnect()
    await cluster.run(15_000)
    t.match(await cluster.settle(a.cluster.names.lookup('leader')), { pid: there })
    t.equal(a.cluster.size, 0)
  }
)

t.test('a store that lost its data is told again what is held', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const pid = a.here.spawn()
  const held = await cluster.settle(a.cluster.names.register('leader', pid))
  cluster.engine.stop(true)
  cluster.engine.start()
  await cluster.run(3000)
  const there = b.here.spawn()
  const claim = (): Promise<unknown> =>
    cluster.settle(b.cluster.names.register('leader', there).catch((err: unknown) => err))
  t.match(await claim(), { code: 'FST_CLUSTER_UNAVAILABLE' }, 'nothing is granted for a time')
  await cluster.run(timings.default.breakLease)
  t.match(await claim(), { code: 'FST_CLUSTER_NAME_TAKEN' })
  t.strictSame((a.cluster.names as Names).holder('leader'), held)
  t.strictSame(await cluster.settle(b.cluster.names.lookup('leader')), held)
  t.strictSame(a.reported, [])
})

t.test(
  'a node keeps a name whose record it wrote to a new store although the answer was lost',
  async (t) => {
    const cluster = new TestCluster()
    const [a] = await cluster.start('a')
    const held = await cluster.settle(a.cluster.names.register('leader', a.here.spawn()))
    const { cas } = a.transport
    let sets = 0
    a.transport.cas = async (key, value, revision) => {
      const answer = await cas.call(a.transport, key, value, revision)
      if (key.startsWith('test.name.') && ++sets === 1) throw new Error('it broke')
      return answer
    }
    cluster.engine.stop(true)
    cluster.engine.start()
    await cluster.run(4000)
    t.ok(sets > 1, 'it was said twice')
    t.strictSame((a.cluster.names as Names).holder('leader'), held)
    t.strictSame(a.reported, [])
  }
)

t.test('register starts again when the store is replaced before it has the answer', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  await cluster.settle(a.cluster.names.register('first', a.here.spawn()))
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
  t.match(await cluster.settle(a.cluster.names.register('leader', pid)), { pid })
  t.ok(generations > 1, 'the answer with another generation was not believed')
  t.match(await cluster.settle(b.cluster.names.lookup('leader')), { pid })
})

t.test('a node loses a name that another node holds in a new store', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const pid = a.here.spawn()
  await cluster.settle(a.cluster.names.register('leader', pid))
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

t.test(
  'all names of a node that died are taken over at the same time, by one node and by several',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b, c] = await cluster.start('a', 'b', 'c')
    const names = ['w', 'x', 'y', 'z']
    const before = await cluster.settle(
      Promise.all(names.map((name) => a.cluster.names.register(name, a.here.spawn())))
    )
    await crash(a)
    await cluster.run(timings.default.breakLease - 2000)
    const claims = names.map((name, i) => {
      const {
        here,
        cluster: { names }
      } = i < 2 ? b : c
      return names.register(name, here.spawn())
    })
    const after = await cluster.settle(Promise.all(claims))
    t.ok(after.every(({ fence }, i) => fence > before[i].fence))
  }
)

t.test('a name that is unregistered while records are written to a new store is deleted there', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  // More than one report contains.
  const pids = Array.from({ length: 300 }, () => a.here.spawn())
  await cluster.settle(Promise.all(pids.map((pid, i) => a.cluster.names.register(`name${i}`, pid))))
  const { cas } = a.transport
  const said: string[] = []
  const ended: string[] = []
  const end = (name: string): void => {
    ended.push(name)
    a.here.end(pids[Number(name.slice('name'.length))], 'done')
  }
  a.transport.cas = async (key, value, revision) => {
    const name = Buffer.from(key.slice('test.name.'.length), 'base64url').toString()
    const isSaid = key.startsWith('test.name.') && value !== undefined
    if (isSaid) said.push(name)
    const answer = await cas.call(a.transport, key, value, revision)
    if (isSaid && ended.length === 0) {
      end(name)
      end(pids.map((_, i) => `name${i}`).find((name) => !said.includes(name))!)
    }
    return answer
  }
  cluster.engine.stop(true)
  cluster.engine.start()
  await cluster.run(15_000)
  t.equal(said.length, 299, 'one was given back before its turn')
  t.strictSame(a.reported, [])
  t.equal(
    (await cluster.settle(b.cluster.names.lookup(said[1])))?.pid,
    pids[Number(said[1].slice('name'.length))]
  )
  for (const name of ended) {
    t.equal(await cluster.settle(b.cluster.names.lookup(name)), undefined)
    t.ok(await cluster.settle(b.cluster.names.register(name, b.here.spawn())))
  }
})

t.test('a node that leaves gives back what it holds', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const pid = a.here.spawn()
  await cluster.settle(a.cluster.names.register('leader', pid))
  await cluster.settle(a.cluster.close())
  t.equal(a.machine.timers, 0)
  t.equal(a.here.processes.get(pid)!.watchers.size, 0)
  t.strictSame(a.reported, [])
  await t.rejects(a.cluster.names.register('leader', pid), { code: 'FST_CLUSTER_UNAVAILABLE' })
  await t.rejects(a.cluster.names.lookup('leader'), { code: 'FST_CLUSTER_UNAVAILABLE' })
  const [c] = await cluster.start('c')
  t.ok(await cluster.settle(c.cluster.names.register('leader', c.here.spawn())), 'at once')
})

t.test(
  'counts the time of a take-over from when the node was down, though nobody claimed its names',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const { fence } = await cluster.settle(a.cluster.names.register('leader', a.here.spawn()))
    await crash(a)
    const { down, breakLease } = timings.default
    await cluster.run(down + breakLease + 500)
    const start = cluster.world.now
    const taken = await cluster.settle(b.cluster.names.register('leader', b.here.spawn()))
    t.ok(cluster.world.now - start < 100, 'at once')
    t.ok(taken.fence > fence)
  }
)

t.test('lets the first name of an empty register wait from when its node joined', async (t) => {
  const cluster = new TestCluster(false)
  const [a] = await cluster.start('a')
  const early = cluster.settle(a.cluster.names.register('leader', a.here.spawn()))
  await t.rejects(early, { code: 'FST_CLUSTER_UNAVAILABLE', headers: { 'retry-after': '5' } })
  await cluster.run(timings.default.breakLease)
  const start = cluster.world.now
  const [b] = await cluster.start('b')
  t.ok(
    await cluster.settle(b.cluster.names.register('leader', b.here.spawn())),
    'also of a node that has just joined'
  )
  t.ok(cluster.world.now - start < 3000, 'at once')
})

t.test(
  'rejects a claim for a name that does not become free in time, and does not take it later',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    await cluster.settle(a.cluster.names.register('leader', a.here.spawn()))
    await crash(a)
    await cluster.run(timings.default.gone + 1000)
    const start = cluster.world.now
    const pids = [b.here.spawn(), b.here.spawn()]
    const claims = pids.map((pid) =>
      b.cluster.names.register('leader', pid).catch((err: unknown) => err)
    )
    for (const outcome of await cluster.settle(Promise.all(claims))) {
      t.match(outcome, { code: 'FST_CLUSTER_UNAVAILABLE', message: /did not become free in time/ })
    }
    t.ok(cluster.world.now - start <= timings.default.acquire + 100)
    await cluster.run(30_000)
    t.equal(b.cluster.size, 0)
    t.equal((b.cluster.names as Names).holder('leader'), undefined)
    t.match(await cluster.settle(b.cluster.names.register('leader', pids[0])), { pid: pids[0] })
  }
)

t.test(
  'does not grant a name whose claim was rejected while the last answer was under way',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const { cas, get } = a.transport
    const slowly = async <T>(answer: Promise<T>): Promise<T> => {
      await new Promise<void>((resolve) => {
        a.machine.after(1500, resolve)
      })
      return await answer
    }
    const written: number[] = []
    const start = cluster.world.now
    a.transport.cas = async (key, value, revision) => {
      const answer = cas.call(a.transport, key, value, revision)
      if (!key.startsWith('test.name.')) return await answer
      written.push(await slowly(answer))
      return written[0]
    }
    a.transport.get = async (key) =>
      key.startsWith('test.lease.')
        ? await get.call(a.transport, key)
        : await slowly(get.call(a.transport, key))
    const claim = a.cluster.names.register('leader', a.here.spawn()).catch((err: unknown) => err)
    t.match(await cluster.settle(claim), {
      code: 'FST_CLUSTER_UNAVAILABLE',
      message: /did not become free in time/
    })
    t.ok(cluster.world.now - start <= timings.default.acquire + 100)
    t.equal(written.length, 1, 'it was written before')
    Object.assign(a.transport, { cas, get })
    await cluster.run(30_000)
    t.equal((a.cluster.names as Names).holder('leader'), undefined)
    t.equal(a.cluster.size, 0)
    t.ok(await cluster.settle(b.cluster.names.register('leader', b.here.spawn())))
  }
)

t.test('survives an engine that is away for as long as channels survive', async (t) => {
  for (let phase = 0; phase < 2000; phase += 400) {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const held = await cluster.settle(a.cluster.names.register('leader', a.here.spawn()))
    await cluster.run(2500 + phase)
    cluster.engine.stop(false)
    await cluster.run(timings.default.down - 500)
    cluster.engine.start()
    await cluster.run(5000)
    t.strictSame(a.reported, [])
    t.strictSame((a.cluster.names as Names).holder('leader'), held)
    for (const { logged } of [a, b]) {
      t.notOk(
        logged.some(({ text }) => text.includes('a node is down')),
        'and no node is down'
      )
    }
  }
})

t.test(
  'gives each holder a higher fence, though the clock of the next one is 10 minutes behind',
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
        (await cluster.settle(b.cluster.names.lookup('leader')))?.fence,
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
  'keeps its fence in a register that lost its data, and the next holder has a higher one',
  async (t) => {
    const cluster = new TestCluster()
    const [a, b] = await cluster.start('a', 'b')
    const pid = a.here.spawn()
    const held = await cluster.settle(a.cluster.names.register('leader', pid))
    cluster.engine.stop(true)
    cluster.engine.start()
    await cluster.run(timings.default.breakLease + 2000)
    t.strictSame(await cluster.settle(b.cluster.names.lookup('leader')), held)
    a.here.end(pid, 'done')
    await cluster.run(100)
    const next = await cluster.settle(b.cluster.names.register('leader', b.here.spawn()))
    t.ok(next.fence > held.fence)
  }
)
