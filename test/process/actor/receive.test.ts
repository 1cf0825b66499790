/* eslint-disable no-unreachable-loop -- leaving a loop is what is tested */
import { setImmediate as nextLap } from 'node:timers/promises'
import t from 'tap'
import { createProcesses } from '../../../lib/process/index.js'
import { build, buildRuntime, deferred, drain, ManualTurns, settle } from '../helpers.js'
import { toTopicFilter } from '../../../lib/process/actor/receive.js'
import type { AnyMessage, Loose } from '../helpers.js'
import type { Process, ProcessSystem } from '../../../types/processes.js'

/** What a body makes of these messages, which are there when it starts. */
async function given (processes: ProcessSystem, topics: string[], body: (self: Process<Loose>) => unknown): Promise<unknown> {
  const pid = processes.spawn<Loose>(body)
  for (const topic of topics) processes.send(pid, topic, topic)
  const { value, error } = await processes.exited(pid)
  if (error !== undefined) throw error
  return value
}

const topicsOf = async (messages: Array<Promise<{ topic: string } | undefined>>): Promise<unknown[]> => (await Promise.all(messages)).map((message) => message?.topic)

t.test('a loop may be left and taken up again, and nothing is lost', async (t) => {
  const processes = build(t)
  const seen = await given(processes, ['a', 'b', 'c'], async (self) => {
    const seen: string[] = []
    const { inbox } = self
    for await (const { topic } of inbox) { seen.push(topic); break }
    for await (const { topic } of inbox) { seen.push(topic); break }
    for await (const { topic } of self.inbox) { seen.push(topic); break }
    return seen
  })
  t.strictSame(seen, ['a', 'b', 'c'])
})

t.test('receive takes the next message, or the next of some topics', async (t) => {
  const processes = build(t)
  const seen = await given(processes, ['a', 'b', 'c', 'd'], (self) => topicsOf([
    self.receive({ topic: 'c' }), self.receive({ topic: ['x', 'b'] }), self.receive(), self.receive({}), self.receive(null as never)
  ].slice(0, 4)))
  t.strictSame(seen, ['c', 'b', 'a', 'd'])
})

t.test('several receives at once are served in order, each with what it wants', async (t) => {
  const processes = build(t)
  const started = deferred()
  const pid = processes.spawn<Loose>(async (self) => {
    const receives = [self.receive({ topic: 'b' }), self.receive(), self.receive({ topic: 'a' }), self.receive({ topic: 'never', timeout: 5 }), self.receive()]
    started.resolve()
    return await topicsOf(receives)
  })
  await started.promise
  for (const topic of ['a', 'a', 'b', 'c']) processes.send(pid, topic)
  t.strictSame((await processes.exited(pid)).value, ['b', 'a', 'a', undefined, 'c'])
})

t.test('more receives than a turn has messages', async (t) => {
  const processes = build(t)
  const topics = Array.from({ length: 100 }, (_, i) => `t${i}`)
  t.strictSame(await given(processes, topics, (self) => topicsOf(topics.map(() => self.receive()))), topics)
})

t.test('a receive waits as long as it is told', async (t) => {
  const processes = build(t)
  t.equal(await given(processes, [], (self) => self.receive({ timeout: 0 })), undefined)
  t.equal(await given(processes, ['a'], (self) => self.receive({ timeout: '1ms', topic: 'b' })), undefined)
  t.match(await given(processes, ['a'], (self) => self.receive({ timeout: 0 })), { topic: 'a' })
  const late = processes.spawn<Loose>((self) => self.receive({ timeout: '10s' }))
  await settle()
  processes.send(late, 'in time')
  t.match((await processes.exited(late)).value, { topic: 'in time' })
})

t.test('a receive with timeout 0 finds whatever is there, also at the end of a turn', async (t) => {
  const processes = build(t)
  const topics = Array.from({ length: 200 }, () => 'x')
  const found = await given(processes, topics, async (self) => {
    let found = 0
    while (await self.receive({ timeout: 0 }) !== undefined) found++
    return found
  })
  t.equal(found, 200)
})

t.test('a message that waits for its turn when the time is over is not missed', async (t) => {
  const turns = new ManualTurns()
  const { processes } = buildRuntime({ turns })
  const received: Array<Promise<unknown>> = []
  const pid = processes.spawn<Loose>((self) => {
    received.push(self.receive({ timeout: 1 }), self.receive({ timeout: 1 }))
    return Promise.all(received)
  })
  turns.run()
  processes.send(pid, 'x')
  // No turn is given any more: only the timers run.
  t.match(await Promise.all(received), [{ topic: 'x' }, undefined])
})

t.test('a selective receive looks through a big mailbox', async (t) => {
  const processes = build(t)
  const topics = Array.from({ length: 9000 }, (_, i) => i === 8000 ? 'needle' : `hay${i % 7}`)
  const [first, ...rest] = await given(processes, topics, async (self) => {
    const seen = [(await self.receive({ topic: 'needle' }) as AnyMessage).topic]
    for (let i = 1; i < 9000; i++) seen.push((await self.receive()).topic)
    return seen
  }) as string[]
  t.equal(first, 'needle')
  t.strictSame(rest, topics.filter((topic) => topic !== 'needle'))
})

t.test('a stop rejects receives with the reason of the signal, when nothing is left for them', async (t) => {
  const processes = build(t)
  const pid = processes.spawn<Loose>(async (self) => {
    const results = await Promise.allSettled([self.receive({ topic: 'never' }), self.receive(), self.receive(), self.receive({ timeout: '1s' })])
    t.strictSame(results.map((result) => result.status === 'fulfilled' ? result.value?.topic : result.reason), [self.signal.reason, 'a', '@cancel', self.signal.reason])
    await t.rejects(self.receive(), self.signal.reason)
  })
  await settle()
  processes.send(pid, 'a')
  processes.cancel(pid)
  t.match(await processes.exited(pid), { reason: 'shutdown', error: undefined })
})

t.test('a receive that nobody awaits does not reject into the void', async (t) => {
  const processes = build(t)
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => { unhandled.push(reason) }
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  for (const end of ['cancel', 'exit'] as const) {
    const pid = processes.spawn<Loose>(async (self) => { self.receive({ topic: 'x' }); await drain(self.inbox) })
    await settle()
    processes[end](pid)
    await processes.exited(pid)
  }
  await settle()
  t.strictSame(unhandled, [])
})

t.test('after a stop from inside nothing is delivered', async (t) => {
  const processes = build(t)
  const value = await given(processes, ['a'], async (self) => {
    try { self.stop() } catch {}
    for await (const { topic } of self.inbox) return topic
    return await self.receive().catch((err) => err.code)
  })
  t.equal(value, 'FST_PROCESS_STOPPED')
})

t.test('code that asks for mail for ever, although it was told to stop, lets the event loop breathe', async (t) => {
  const processes = createProcesses({ closeTimeout: 0 })
  let asked = 0
  processes.spawn(async (self) => {
    while (asked < 100_000) {
      try {
        await self.receive()
      } catch {
        asked++
      }
    }
  })
  await nextLap()
  await processes.close()
  t.ok(asked < 100_000)
  asked = 100_000
})

t.test('a receive of no topic at all only waits', async (t) => {
  const processes = build(t)
  t.equal(await given(processes, ['a'], (self) => self.receive({ topic: [], timeout: 1 })), undefined)
})

t.test('wrong options reject with a code', async (t) => {
  const processes = build(t)
  for (const [options, code] of [
    [{ timeout: 'soon' }, 'FST_PROCESS_INVALID_DURATION'], [{ timeout: null }, 'FST_PROCESS_INVALID_DURATION'], [{ timeout: Infinity }, 'FST_PROCESS_INVALID_DURATION'],
    [{ topic: 5 }, 'FST_PROCESS_INVALID_TOPIC'], [{ topic: '' }, 'FST_PROCESS_INVALID_TOPIC'], [{ topic: ['a', 5] }, 'FST_PROCESS_INVALID_TOPIC'], [{ topic: ['x'.repeat(129)] }, 'FST_PROCESS_INVALID_TOPIC'], [{ topic: null }, 'FST_PROCESS_INVALID_TOPIC'], [{ topic: {} }, 'FST_PROCESS_INVALID_TOPIC']
  ] as const) {
    await t.rejects(given(processes, ['a'], (self) => self.receive(options as never)), { code })
  }
})

t.test('an unset topic wants all', async (t) => {
  t.equal(toTopicFilter(undefined), undefined)
})

t.test('steps of one iterator that are asked for at once come in order, and it waits again afterwards', async (t) => {
  const processes = build(t)
  const pid = processes.spawn<Loose>(async (self) => {
    const inbox = self.inbox[Symbol.asyncIterator]()
    const topicOf = async (step: ReturnType<typeof inbox.next>): Promise<unknown> => (await step).value?.topic
    const seen = await Promise.all([inbox.next(), inbox.next(), inbox.next()].map(topicOf))
    return [...seen, await topicOf(inbox.next())]
  })
  for (const topic of ['a', 'b', 'c', 'd']) {
    await settle()
    processes.send(pid, topic)
  }
  t.strictSame((await processes.exited(pid)).value, ['a', 'b', 'c', 'd'])
})
