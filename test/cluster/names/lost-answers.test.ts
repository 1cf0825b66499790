// Names whose register answers late or not at all.
import t from 'tap'
import { TestCluster } from '../support.js'
import { timings } from '../../../lib/cluster/timing.js'
import type { NodeNames } from '../../../lib/cluster/names/names.js'

t.test('rejects with one code when the engine does not answer, and undoes the write', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const pid = a.here.spawn()
  await cluster.register(a, 'other', pid)
  const { cas, get } = a.transport
  a.transport.get = () => Promise.reject(new Error('it is away'))
  await t.rejects(cluster.lookup(a, 'leader'), {
    code: 'FST_CLUSTER_UNAVAILABLE',
    cause: { message: 'it is away' }
  })
  await t.rejects(cluster.register(a, 'leader', pid), {
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
  await t.rejects(cluster.register(a, 'leader', pid), {
    code: 'FST_CLUSTER_UNAVAILABLE'
  })
  Object.assign(a.transport, { cas, get })
  t.match(await cluster.lookup(b, 'leader'), { pid })
  t.equal(
    await cluster.lookup(a, 'leader'),
    undefined,
    'it stands there, and is not held'
  )
  await cluster.run(12_000)
  t.ok(
    await cluster.register(b, 'leader'),
    'it was taken out'
  )
  // A read reveals the unknown outcome.
  let breaks = 1
  a.transport.cas = async (key, value, revision) => {
    const answer = await cas.call(a.transport, key, value, revision)
    if (key.startsWith('test.name.') && breaks-- > 0) throw new Error('it broke')
    return answer
  }
  t.match(await cluster.register(a, 'third', pid), { pid })
})

t.test('deletes a name that was unregistered in an outage when the engine is back', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  await cluster.register(a, 'leader')
  const { cas, get } = a.transport
  const away = (): Promise<never> => Promise.reject(new Error('it is away'))
  Object.assign(a.transport, { cas: away, get: away })
  t.equal(await cluster.settle(a.cluster.names.unregister('leader')), true)
  await cluster.run(3000)
  Object.assign(a.transport, { cas, get })
  await cluster.run(12_000)
  t.equal(a.cluster.size, 0)
  t.ok(await cluster.register(b, 'leader'))
})

t.test('ignores the answer of the register when the lease has expired meanwhile', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const [one, two] = [a.here.spawn(), a.here.spawn()]
  await cluster.register(a, 'other', one)
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
  t.equal((a.cluster.names as NodeNames).holder('leader'), undefined)
  // The register waits 2 s for an answer. The lease of the other name expires before that.
  a.machine.frozenUntil = cluster.world.now + timings.default.lease
  release()
  await cluster.run(timings.default.lease)
  t.match(await cluster.settle(claim), { code: 'FST_CLUSTER_UNAVAILABLE' })
  t.equal((a.cluster.names as NodeNames).holder('leader'), undefined)
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

t.test('keeps the name that it wrote when the answer was lost', async (t) => {
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
  const held = await cluster.register(a, 'leader', pid)
  t.equal(sets, 1, 'it is not claimed again')
  t.strictSame(await cluster.lookup(b, 'leader'), held)
})

t.test('does not confirm a name when the lease expires while the engine is asked', async (t) => {
  const cluster = new TestCluster()
  const [a] = await cluster.start('a')
  const pid = a.here.spawn()
  await cluster.register(a, 'leader', pid)
  const { get } = a.transport
  a.transport.get = async (key) => {
    const entry = await get.call(a.transport, key)
    // The event loop stalls, and something else than the timer of the lease runs first.
    if (key.startsWith('test.name.')) {
      a.machine.now = () => cluster.world.now + timings.default.lease + 1000
    }
    return entry
  }
  await t.rejects(cluster.register(a, 'leader', pid), {
    code: 'FST_CLUSTER_UNAVAILABLE',
    message: /could not hold the name 'leader'/
  })
  t.equal((a.cluster.names as NodeNames).holder('leader'), undefined)
})

t.test('does not grant a name that it rejected while the last answer was in flight', async (t) => {
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
  t.equal((a.cluster.names as NodeNames).holder('leader'), undefined)
  t.equal(a.cluster.size, 0)
  t.ok(await cluster.register(b, 'leader'))
})
