// Checks in which AsyncLocalStorage context code runs for messages, calls and exits of other nodes.
import t from 'tap'
import { AsyncLocalStorage } from 'node:async_hooks'
import { TestCluster } from './nodes.js'
import { until } from '../helpers.js'
import { deferred, probe, type Loose } from '../process/helpers.js'
import type { ClusterGroupChange } from '../../types/cluster.js'
import type { Message } from '../../types/messages.js'
import type { Process } from '../../types/processes.js'

const store = new AsyncLocalStorage<string>()

t.test('handles messages of another node in the context of the system', async (t) => {
  const cluster = new TestCluster(t)
  const [a, b] = [await cluster.node('a'), await cluster.node('b')]
  const seen: Array<[what: string, store: string | undefined]> = []
  const note = (what: string): void => { seen.push([what, store.getStore()]) }
  const done = deferred()
  const callee = await store.run('first request', async () => b.spawn<Loose>(async (self) => {
    self.signal.addEventListener('abort', () => { note('abort') })
    await self.serve({
      tell: () => {
        note('send')
      },
      ask: (_, { reply }: Message<Loose>) => {
        note('call')
        reply(1)
      }
    })
  }))
  const caller = await store.run('second request', async () => a.spawn<Loose>(async (self) => {
    self.monitor(callee)
    await self.serve({
      tell: async () => { await self.call(callee, 'ask'); note('answer') },
      '@exit': () => { note('@exit'); done.resolve() }
    })
  }))
  await store.run('third request', async () => {
    a.send(callee, 'tell')
    a.send(caller, 'tell')
    await a.call(callee, 'ask')
    t.equal(store.getStore(), 'third request')
    a.exit(callee)
    await a.exited(callee)
    t.equal(store.getStore(), 'third request')
  })
  await done.promise
  t.strictSame(
    new Set(seen.map(([what]) => what)),
    new Set(['send', 'call', 'answer', 'abort', '@exit'])
  )
  t.strictSame(seen.filter(([, store]) => store !== undefined), [])
})

t.test('calls a group watcher in the context of its watch call', async (t) => {
  const cluster = new TestCluster(t)
  const [a, b] = [await cluster.node('a'), await cluster.node('b')]
  const seen: Array<[who: string, store: string | undefined]> = []
  const watching = deferred()
  a.spawn(async (self) => {
    await self.cluster!.groups.watch('group', () => { seen.push(['process', store.getStore()]) })
    watching.resolve()
    await self.receive()
  })
  await watching.promise
  await store.run('watcher', async () => {
    await a.cluster!.groups.watch('group', () => {
      seen.push(['request', store.getStore()])
    })
  })
  await store.run('joiner', async () => {
    await a.cluster!.groups.join('group', a.spawn((self) => self.receive()))
    await b.cluster!.groups.join('group', b.spawn((self) => self.receive()))
  })
  await until(() => seen.length === 4)
  t.strictSame(seen.map((one) => one.join()).sort(), [
    'process,',
    'process,',
    'request,watcher',
    'request,watcher'
  ])
})

t.test('sets the broadcasting process as the sender', async (t) => {
  const cluster = new TestCluster(t)
  const [a, b] = [await cluster.node('a'), await cluster.node('b')]
  const member = probe(b)
  await b.cluster!.groups.join('group', member.pid)
  const given = deferred<Process>()
  const pid = a.spawn(async (self) => { given.resolve(self); await self.receive() })
  const self = await given.promise
  const clusterOfSelf = self.cluster!
  t.equal(self.cluster, clusterOfSelf, 'the same each time')
  t.equal(self.node, 'a')
  t.strictSame(clusterOfSelf.nodes(), a.cluster!.nodes())
  t.equal(clusterOfSelf.names, a.cluster!.names)
  const { groups } = clusterOfSelf
  t.ok(groups.broadcast('group', 'hello', 1))
  t.match(await member.until(1), [{ topic: 'hello', from: pid }])
  await groups.join('group', pid)
  const changes: ClusterGroupChange[] = []
  const listener = (change: ClusterGroupChange): void => { changes.push(change) }
  t.strictSame(new Set((await groups.watch('group', listener)).members), new Set([member.pid, pid]))
  t.strictSame(new Set((await groups.members('group')).members), new Set([member.pid, pid]))
  t.equal(await groups.leave('group', pid), true)
  t.match(changes, [{ group: 'group', joined: [], left: [pid] }])
  groups.unwatch('group', listener)
  a.exit(pid)
  t.equal(groups.broadcast('group', 'late', 2), false, 'it has ended')
  t.match(changes.length, 1)
})

t.test('publishes messages of requests outside the context of any request', async (t) => {
  const cluster = new TestCluster(t)
  const published: Array<string | undefined> = []
  const engine = cluster.engine()
  const { transport } = engine
  const publish = transport.publish.bind(transport)
  transport.publish = (topic, frame) => {
    published.push(store.getStore())
    return publish(topic, frame)
  }
  const a = await cluster.node('a', {}, engine)
  const b = await cluster.node('b')
  const pid = b.spawn<Loose>((self) =>
    self.serve({
      ask: (_, { reply }: Message<Loose>) => {
        reply(1)
      }
    })
  )
  published.length = 0
  await Promise.all(['ada', 'bob'].map((user) => store.run(user, () => a.call(pid, 'ask'))))
  t.ok(published.length > 0)
  t.strictSame(published.filter((store) => store !== undefined), [])
})
