/* eslint-disable no-unreachable-loop -- leaving a loop is what is tested */
import { setImmediate as nextLap } from 'node:timers/promises'
import t from 'tap'
import { createProcesses } from '../../../lib/process/index.js'
import { ManualClock } from '../../properties/clock.js'
import { build, buildRuntime, deferred, drain, settle } from '../helpers.js'
import { toTopicFilter } from '../../../lib/process/actor/receive.js'
import type { AnyMessage, Loose } from '../helpers.js'
import type { Process, ProcessSystem } from '../../../types/processes.js'

/** The result of a body that has these messages in its mailbox when it starts. */
async function given (
  processes: ProcessSystem,
  topics: string[],
  body: (self: Process<Loose>) => unknown
): Promise<unknown> {
  const pid = processes.spawn<Loose>(body)
  for (const topic of topics) processes.send(pid, topic, topic)
  const { value, error } = await processes.exited(pid)
  if (error !== undefined) throw error
  return value
}

const topicsOf = async (
  messages: Array<Promise<{ topic: string } | undefined>>
): Promise<unknown[]> => (await Promise.all(messages)).map((message) => message?.topic)

t.test('loses no message when a loop over the inbox is left and started again', async (t) => {
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

t.test('receives the next message, or the next one of some topics', async (t) => {
  const processes = build(t)
  const seen = await given(processes, ['a', 'b', 'c', 'd'], (self) =>
    topicsOf(
      [
        self.receive({ topic: 'c' }),
        self.receive({ topic: ['x', 'b'] }),
        self.receive(),
        self.receive({}),
        self.receive(null as never)
      ].slice(0, 4)
    )
  )
  t.strictSame(seen, ['c', 'b', 'a', 'd'])
})

t.test('fulfills several pending receives in order', async (t) => {
  const processes = build(t)
  const started = deferred()
  const pid = processes.spawn<Loose>(async (self) => {
    const receives = [
      self.receive({ topic: 'b' }),
      self.receive(),
      self.receive({ topic: 'a' }),
      self.receive({ topic: 'never', timeout: 5 }),
      self.receive()
    ]
    started.resolve()
    return await topicsOf(receives)
  })
  await started.promise
  for (const topic of ['a', 'a', 'b', 'c']) processes.send(pid, topic)
  t.strictSame((await processes.exited(pid)).value, ['b', 'a', 'a', undefined, 'c'])
})

t.test('fulfills more receives than a turn has messages', async (t) => {
  const processes = build(t)
  const topics = Array.from({ length: 100 }, (_, i) => `t${i}`)
  t.strictSame(
    await given(processes, topics, (self) => topicsOf(topics.map(() => self.receive()))),
    topics
  )
})

t.test('resolves with undefined after the timeout', async (t) => {
  const processes = build(t)
  t.equal(await given(processes, [], (self) => self.receive({ timeout: 0 })), undefined)
  t.equal(
    await given(processes, ['a'], (self) => self.receive({ timeout: '1ms', topic: 'b' })),
    undefined
  )
  t.match(await given(processes, ['a'], (self) => self.receive({ timeout: 0 })), { topic: 'a' })
  const late = processes.spawn<Loose>((self) => self.receive({ timeout: '10s' }))
  await settle()
  processes.send(late, 'in time')
  t.match((await processes.exited(late)).value, { topic: 'in time' })
})

t.test('finds a queued message with timeout 0, also at the end of a turn', async (t) => {
  const processes = build(t)
  const topics = Array.from({ length: 200 }, () => 'x')
  const found = await given(processes, topics, async (self) => {
    let found = 0
    while (await self.receive({ timeout: 0 }) !== undefined) found++
    return found
  })
  t.equal(found, 200)
})

t.test('receives a message that is queued when the timeout fires', async (t) => {
  const clock = new ManualClock()
  const { processes } = buildRuntime({ clock })
  const received: Array<Promise<unknown>> = []
  const pid = processes.spawn<Loose>((self) => {
    received.push(self.receive({ timeout: 1 }), self.receive({ timeout: 1 }))
    return Promise.all(received)
  })
  clock.run()
  processes.send(pid, 'x')
  clock.advance(1)
  // From here on only timers run, and no turns.
  t.match(await Promise.all(received), [{ topic: 'x' }, undefined])
})

t.test('finds a topic in a big mailbox', async (t) => {
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

t.test('rejects receives with the reason of the signal after a stop', async (t) => {
  const processes = build(t)
  const pid = processes.spawn<Loose>(async (self) => {
    const results = await Promise.allSettled([
      self.receive({ topic: 'never' }),
      self.receive(),
      self.receive(),
      self.receive({ timeout: '1s' })
    ])
    t.strictSame(
      results.map((result) =>
        result.status === 'fulfilled' ? result.value?.topic : result.reason
      ),
      [self.signal.reason, 'a', '@cancel', self.signal.reason]
    )
    await t.rejects(self.receive(), self.signal.reason)
  })
  await settle()
  processes.send(pid, 'a')
  processes.cancel(pid)
  t.match(await processes.exited(pid), { reason: 'shutdown', error: undefined })
})

t.test('causes no unhandled rejection when a receive is not awaited', async (t) => {
  const processes = build(t)
  const unhandled: unknown[] = []
  const note = (reason: unknown): void => { unhandled.push(reason) }
  process.on('unhandledRejection', note)
  t.teardown(() => process.off('unhandledRejection', note))
  for (const end of ['cancel', 'exit'] as const) {
    const pid = processes.spawn<Loose>(async (self) => {
      self.receive({ topic: 'x' })
      await drain(self.inbox)
    })
    await settle()
    processes[end](pid)
    await processes.exited(pid)
  }
  await settle()
  t.strictSame(unhandled, [])
})

t.test('delivers nothing after a stop from inside', async (t) => {
  const processes = build(t)
  const value = await given(processes, ['a'], async (self) => {
    try { self.stop() } catch {}
    for await (const { topic } of self.inbox) return topic
    return await self.receive().catch((err) => err.code)
  })
  t.equal(value, 'FST_PROCESS_STOPPED')
})

t.test('yields to the event loop when a stopped body calls receive in a loop', async (t) => {
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

t.test('only times out when the list of topics is empty', async (t) => {
  const processes = build(t)
  t.equal(
    await given(processes, ['a'], (self) => self.receive({ topic: [], timeout: 1 })),
    undefined
  )
})

t.test('rejects with a code for wrong options', async (t) => {
  const processes = build(t)
  for (const [options, code] of [
    [{ timeout: 'soon' }, 'FST_PROCESS_INVALID_DURATION'],
    [{ timeout: null }, 'FST_PROCESS_INVALID_DURATION'],
    [{ timeout: Infinity }, 'FST_PROCESS_INVALID_DURATION'],
    [{ topic: 5 }, 'FST_PROCESS_INVALID_TOPIC'],
    [{ topic: '' }, 'FST_PROCESS_INVALID_TOPIC'],
    [{ topic: ['a', 5] }, 'FST_PROCESS_INVALID_TOPIC'],
    [{ topic: ['x'.repeat(129)] }, 'FST_PROCESS_INVALID_TOPIC'],
    [{ topic: null }, 'FST_PROCESS_INVALID_TOPIC'],
    [{ topic: {} }, 'FST_PROCESS_INVALID_TOPIC']
  ] as const) {
    await t.rejects(
      given(processes, ['a'], (self) => self.receive(options as never)),
      { code }
    )
  }
})

t.test('accepts all topics when the topic is undefined', async (t) => {
  t.equal(toTopicFilter(undefined), undefined)
})

t.test('settles concurrent steps of one iterator in order', async (t) => {
  const processes = build(t)
  const pid = processes.spawn<Loose>(async (self) => {
    const inbox = self.inbox[Symbol.asyncIterator]()
    const topicOf = async (step: ReturnType<typeof inbox.next>): Promise<unknown> =>
      (await step).value?.topic
    const seen = await Promise.all([inbox.next(), inbox.next(), inbox.next()].map(topicOf))
    return [...seen, await topicOf(inbox.next())]
  })
  for (const topic of ['a', 'b', 'c', 'd']) {
    await settle()
    processes.send(pid, topic)
  }
  t.strictSame((await processes.exited(pid)).value, ['a', 'b', 'c', 'd'])
})
