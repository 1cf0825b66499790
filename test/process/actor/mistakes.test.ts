// Probable mistakes in bodies: each is logged once, and correct bodies log nothing.
import t from 'tap'
import { buildRuntime, recordingLogger, settle } from '../helpers.js'
import { ManualClock, ticks } from '../../properties/clock.js'
import { relayTopics } from '../../../lib/process/message.js'
import { rows, spans } from '../../docs/tables.js'
import type { Loose } from '../helpers.js'
import type { Test } from 'tap'
import type { Runtime } from '../../../lib/process/runtime.js'
import type { Process, Processes } from '../../../types/processes.js'

interface System {
  readonly processes: Processes
  readonly runtime: Runtime
  /** The warnings so far: fields and text. They are taken away. */
  warnings (): Array<[Record<string, unknown>, string]>
}

function build (t: Test, clock?: ManualClock): System {
  const { logger, lines } = recordingLogger()
  const { runtime, processes } = buildRuntime({ logger, clock })
  t.teardown(() => { for (const pid of processes.list()) processes.exit(pid) })
  return {
    runtime,
    processes,
    warnings: () => lines.splice(0).filter(({ level }) => level === 'warn')
      .map(({ args }) => args as [Record<string, unknown>, string])
  }
}

/** Runs all tasks of a clock, without an iteration of the event loop for timers. */
async function run (clock: ManualClock): Promise<void> {
  do {
    clock.yieldOnce()
    clock.run()
    await ticks()
  } while (clock.busy)
}

// `serve` that is not awaited

const notAwaited = /^a process ended at once, because its body did not await self\.serve\(\)/

t.test('warns when a body returns without its serve', async (t) => {
  const { processes, warnings } = build(t)
  processes.spawn(function sync (self) { self.serve({}).catch(() => {}) })
  const pid = processes.spawn(async function room (self) { self.serve({}).catch(() => {}) })
  await settle()
  const lines = warnings()
  t.equal(lines.length, 2)
  t.match(lines[1], [{ relayPid: pid, relayLabel: 'room' }, notAwaited])
  processes.spawn(async function room (self) { self.serve({}).catch(() => {}) })
  await settle()
  t.strictSame(warnings(), [], 'once for each label')
})

t.test('warns when a body calls serve later and returns without it', async (t) => {
  const { processes, warnings } = build(t)
  processes.spawn(async function late (self) {
    await new Promise((resolve) => { setImmediate(resolve) })
    self.serve({}).catch(() => {})
  })
  await settle()
  t.match(warnings(), [[{ relayLabel: 'late' }, notAwaited]])
})

t.test('does not warn when a body ends its serve on purpose', async (t) => {
  const clock = new ManualClock()
  const { processes, warnings } = build(t, clock)
  const bodies: Array<(self: Process<Loose>) => unknown> = [
    (self) => self.serve({}),
    async (self) => { await self.serve({}) },
    async (self) => {
      self.serve({}).catch(() => {})
      await self.receive({ topic: 'done' })
    },
    async (self) => {
      self.serve({ progress: () => {} }).catch(() => {})
      await new Promise<void>((resolve) => { clock.after(1000, resolve) })
    },
    async (self) => {
      self.serve({}).catch(() => {})
      self.stop()
    },
    async (self) => {
      self.serve({}).catch(() => {})
      throw new Error('not the fault of serve')
    }
  ]
  const pids = bodies.map((body) => processes.spawn(body))
  await run(clock)
  processes.send(pids[2], 'done')
  await run(clock)
  clock.advance(1000)
  await run(clock)
  t.equal(processes.list().length, 2, 'the first two serve')
  t.strictSame(warnings(), [])
})

// Topics

const unhandled = /^dropped a message without a handler/

t.test('warns of a message without a handler', async (t) => {
  const { processes, warnings } = build(t)
  const pid = processes.spawn(function room (self: Process<Loose>) {
    return self.serve({ known: () => {} })
  })
  for (let i = 0; i < 3; i++) processes.send(pid, 'unknown')
  processes.send(pid, 'known')
  processes.send(pid, 'other')
  await settle()
  t.match(warnings(), [
    [{ relayPid: pid, relayLabel: 'room', topic: 'unknown' }, unhandled],
    [{ relayPid: pid, relayLabel: 'room', topic: 'other' }, unhandled]
  ])
})

t.test('logs a limited number of unknown topics', async (t) => {
  const clock = new ManualClock()
  const { processes, warnings } = build(t, clock)
  const pid = processes.spawn<Loose>((self) => self.serve({}))
  for (let i = 0; i < 1000; i++) {
    processes.send(pid, `topic ${i}`)
    await run(clock)
    clock.advance(2000)
  }
  t.equal(warnings().length, 100)
})

t.test('does not warn of topics that a process may ignore', async (t) => {
  const { processes, warnings } = build(t)
  const pid = processes.spawn<Loose>((self) => self.serve({}))
  for (const topic of relayTopics) processes.send(pid, topic)
  await t.rejects(processes.call(pid, 'unknown'), /no handler/, 'a caller learns it')
  const all = processes.spawn<Loose>((self) => self.serve({}, () => {}))
  const loop = processes.spawn(async (self) => {
    for await (const mail of self.inbox) mail.reply()
  })
  for (const to of [all, loop]) processes.send(to, 'anything')
  processes.cancel(pid)
  await settle()
  t.strictSame(warnings(), [])
})

const unsent = 'serve has a handler for a topic that the relay does not send'

t.test('warns of handlers for misspelt topics of the relay', async (t) => {
  const { processes, warnings } = build(t)
  processes.spawn(function room (self: Process<Loose>) {
    return self.serve({
      'ws.join': () => {}, 'ws.mesage': () => {}, 'ws.disconnect': () => {}, 'ws.mine': () => {}
    })
  })
  await settle()
  t.match(warnings(), [
    [{ relayLabel: 'room', topic: 'ws.mesage', expected: 'ws.message' }, unsent],
    [{ relayLabel: 'room', topic: 'ws.disconnect', expected: 'ws.leave' }, unsent]
  ])
})

t.test('knows every documented topic of the relay', async (t) => {
  const documented = await rows('docs/messages.md', 'topic')
  const topics = documented.flatMap(([topic]) => spans(topic))
  const ofRelay = topics.filter((topic) => topic.startsWith('ws.'))
  t.strictSame(new Set(ofRelay), new Set(relayTopics))
})

// Calls

const returned = 'a call timed out whose handler returned a value: ' +
  'only message.reply(value) answers it'

t.test('warns when a call times out whose handler returned a value', async (t) => {
  const clock = new ManualClock()
  const { processes, warnings } = build(t, clock)
  const pid = processes.spawn(function store (self: Process<Loose>) {
    return self.serve({ get: () => 1, load: async () => 2 })
  })
  for (const topic of ['get', 'load']) {
    const call = processes.call(pid, topic, undefined, { timeout: 100 })
    await run(clock)
    t.strictSame(warnings(), [], 'another process may still answer')
    clock.advance(100)
    await t.rejects(call, { code: 'FST_PROCESS_CALL_TIMEOUT' })
    t.strictSame(warnings(), [[{ relayPid: pid, relayLabel: 'store', topic }, returned]])
  }
})

t.test('does not warn when a handler answers, or returns nothing', async (t) => {
  const clock = new ManualClock()
  const { processes, warnings } = build(t, clock)
  const waiting: Array<(value: unknown) => void> = []
  const pid = processes.spawn<Loose>((self) => self.serve({
    now: (_, { reply }) => { reply(1); return true },
    soon: async (_, { reply }) => { reply(1); return true },
    later: (_, { reply }) => waiting.push(reply),
    never: () => {},
    message: () => 5
  }))
  const calls = ['now', 'soon', 'later'].map((topic) => {
    return processes.call(pid, topic, undefined, { timeout: 100 })
  })
  const never = processes.call(pid, 'never', undefined, { timeout: 100 })
  processes.send(pid, 'message')
  await run(clock)
  for (const reply of waiting) reply(1)
  t.strictSame(await Promise.all(calls), [1, 1, 1])
  clock.advance(100)
  await t.rejects(never, { code: 'FST_PROCESS_CALL_TIMEOUT' })
  t.strictSame(warnings(), [])
})

// Methods without `self`

const lost = /^a method of self was called without self/

t.test('warns of methods that were taken off self', async (t) => {
  const { processes, warnings } = build(t)
  processes.spawn(async function destructured ({ send, pid }) { send(pid, 'x') })
  processes.spawn(async function copied (self) {
    const api = { stop: self.stop }
    api.stop()
  })
  processes.spawn(function handler (self: Process<Loose>) {
    const { send } = self
    processes.send(self.pid, 'go')
    return self.serve({ go: () => { send(self.pid, 'x') } })
  })
  await settle()
  t.match(warnings(), ['destructured', 'copied', 'handler'].map((label) => {
    return [{ relayLabel: label }, lost]
  }))
})

t.test('does not warn of other errors, nor of those of private fields of other classes', async (t) => {
  const { processes, warnings } = build(t)
  class Mine {
    readonly #actor = 1
    get (): number { return this.#actor }
  }
  const { get } = new Mine()
  processes.spawn(async () => { get() })
  processes.spawn(async () => { throw new TypeError('x') })
  processes.spawn(async () => {
    const message = 'Cannot read private member #actor'
    throw Object.assign(new TypeError(message), { stack: undefined })
  })
  processes.spawn(async ({ pid, log }) => { log.info(pid) })
  await settle()
  t.strictSame(warnings(), [])
  t.equal(processes.stats().exited.error, 3)
})

// Supervisors

const gone = /^no supervisor restarts this one: its children stay gone/

t.test('warns when a supervisor gives up that nothing restarts', async (t) => {
  const { processes, warnings } = build(t)
  const crash = { id: 'crash', start: () => { throw new Error('broken') } }
  const inner = { name: 'inner', maxRestarts: 0, children: [crash] }
  const outer = processes.supervise({
    name: 'outer', maxRestarts: 1, children: [{ id: 'inner', start: inner, restart: 'permanent' }]
  })
  t.equal((await processes.exited(outer.pid)).reason, 'restart_intensity')
  t.match(warnings(), [[{ relayPid: outer.pid, relayLabel: 'outer' }, gone]])
  const temporary = { ...inner, name: 'temporary' }
  processes.supervise({
    name: 'above', children: [{ id: 'temporary', start: temporary, restart: 'temporary' }]
  })
  await settle()
  t.match(warnings(), [[{ relayLabel: 'temporary' }, gone]])
})
