// In which AsyncLocalStorage context code runs when the message, the call or the end is of another node.
import t from 'tap'
import { AsyncLocalStorage } from 'node:async_hooks'
import { TestCluster } from './nodes.js'
import { deferred, type Loose } from '../process/helpers.js'
import type { Message } from '../../types/messages.js'

const store = new AsyncLocalStorage<string>()

t.test('what comes from another node is handled in the context of the system', async (t) => {
  const cluster = new TestCluster(t)
  const [a, b] = [await cluster.node('a'), await cluster.node('b')]
  const seen: Array<[what: string, store: string | undefined]> = []
  const note = (what: string): void => { seen.push([what, store.getStore()]) }
  const done = deferred()
  const callee = await store.run('first request', async () => b.spawn<Loose>(async (self) => {
    self.signal.addEventListener('abort', () => { note('abort') })
    await self.serve({ tell: () => { note('send') }, ask: (_, { reply }: Message<Loose>) => { note('call'); reply(1) } })
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
  t.strictSame(new Set(seen.map(([what]) => what)), new Set(['send', 'call', 'answer', 'abort', '@exit']))
  t.strictSame(seen.filter(([, store]) => store !== undefined), [])
})

t.test('what requests send to another node is published in the context of none', async (t) => {
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
  const pid = b.spawn<Loose>((self) => self.serve({ ask: (_, { reply }: Message<Loose>) => { reply(1) } }))
  published.length = 0
  await Promise.all(['ada', 'bob'].map((user) => store.run(user, () => a.call(pid, 'ask'))))
  t.ok(published.length > 0)
  t.strictSame(published.filter((store) => store !== undefined), [])
})
