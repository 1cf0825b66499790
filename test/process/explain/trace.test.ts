import t from 'tap'
import { ManualClock } from '../../properties/clock.js'
import { buildRuntime, held, recordingLogger } from '../helpers.js'
import type { Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'
import type { Trace, TraceEvent, TraceOptions } from '../../../types/trace.js'

function setUp () {
  const clock = new ManualClock()
  const { logger, lines } = recordingLogger()
  const { runtime, processes } = buildRuntime({ clock, logger })
  const trace = (pid: Pid, options: TraceOptions = {}) => {
    const events: TraceEvent[] = []
    /** Type and topic. */
    const short = (): string[] => {
      return events.map((event) => 'topic' in event ? `${event.type} ${event.topic}` : event.type)
    }
    return { ...processes.trace(pid, options, (event) => { events.push(event) }), events, short }
  }
  const spawn = (limit?: number): Pid => {
    const pid = processes.spawn(echo, { mailboxLimit: limit })
    clock.run()
    return pid
  }
  return { clock, runtime, processes, trace, spawn, lines }
}

function echo (self: Process<{ to: string, call: string, fail: Error }>): Promise<void> {
  return self.serve({
    to: (pid) => { self.send(pid, 'echo', 'hello') },
    call: (pid) => { self.call(pid, 'question').catch(() => {}) },
    fail: (error) => { throw error }
  })
}

/** The names of own properties that replace a method. */
function replaced (...objects: object[]): string[] {
  return objects.flatMap((object) => {
    return Object.keys(object).filter((name) => {
      return typeof (object as Record<string, unknown>)[name] === 'function'
    })
  })
}

t.test('shows the messages that a process receives, takes and sends, and its end', async (t) => {
  const { clock, processes, trace, spawn } = setUp()
  const [pid, other] = [spawn(), spawn()]
  const { events } = trace(pid, { payloads: true })
  processes.send(pid, 'to', other)
  clock.advance(5)
  clock.run()
  const error = new Error('x')
  processes.send(pid, 'fail', error)
  clock.run()
  await new Promise(setImmediate)
  t.match(events, [
    { type: 'received', pid, topic: 'to', from: undefined, mailbox: 1, payload: other, at: Number },
    { type: 'taken', topic: 'to', waited: 5, payload: other },
    { type: 'sent', topic: 'echo', to: other, accepted: true, payload: 'hello' },
    { type: 'received', topic: 'fail' },
    { type: 'taken', topic: 'fail' },
    { type: 'ended', reason: 'error', error }
  ])
  t.equal(events.length, 6)
})

t.test('shows no payload unless it is asked for', async (t) => {
  const { clock, processes, trace, spawn } = setUp()
  const pid = spawn()
  const { events } = trace(pid)
  processes.send(pid, 'to', 'nobody')
  clock.run()
  t.equal(events.length, 3)
  for (const event of events) t.notOk('payload' in event, event.type)
  t.match(events[2], { type: 'sent', to: 'nobody', accepted: false })
})

t.test('shows messages that are refused, calls, and system messages', async (t) => {
  const { clock, processes, trace, spawn } = setUp()
  const pid = spawn(1)
  const other = spawn()
  const traced = trace(pid)
  processes.send(pid, 'call', other)
  processes.send(pid, 'too much')
  clock.run()
  processes.cancel(pid)
  processes.send(pid, 'too late')
  clock.run()
  await new Promise(setImmediate)
  t.strictSame(traced.short(), [
    'received call', 'refused too much', 'taken call', 'sent question', 'received @cancel',
    'refused too late', 'taken @cancel', 'ended'
  ])
  t.match(traced.events[3], { type: 'sent', to: other, accepted: undefined })
})

t.test('shows what a client sends to a process that refuses it', async (t) => {
  const { runtime, processes, trace, spawn } = setUp()
  const pid = spawn()
  const traced = trace(pid)
  const target = runtime.processTable.getEntity(pid) as unknown as
    { accept (topic: string, payload: unknown, from: Pid, bytes: number): boolean }
  t.ok(target.accept('ws.message', 'x', pid, 1))
  processes.cancel(pid)
  t.notOk(target.accept('ws.message', 'x', pid, 1))
  t.strictSame(traced.short(), ['received ws.message', 'received @cancel', 'refused ws.message'])
})

t.test('does not know how long a message waited that was there before', async (t) => {
  const { clock, processes, trace, spawn } = setUp()
  const pid = spawn()
  processes.send(pid, 'to', 'nobody')
  const { events } = trace(pid)
  clock.run()
  t.match(events, [{ type: 'taken', topic: 'to', waited: undefined }, { type: 'sent' }])
})

t.test('shows one process only, and each of its listeners what it asks for', async (t) => {
  const { clock, processes, trace, spawn } = setUp()
  const [pid, other] = [spawn(), spawn()]
  const [short, long, beside] = [trace(pid, { max: 2 }), trace(pid), trace(other)]
  processes.send(pid, 'to', other)
  processes.send(pid, 'to', 'nobody')
  clock.run()
  t.strictSame(short.short(), ['received to', 'received to'])
  t.equal(long.events.length, 6)
  t.strictSame(beside.short(), ['received echo', 'taken echo'])
  processes.exit(pid)
  t.strictSame(long.short().slice(6), ['ended'])
  t.equal(beside.events.length, 2)
})

t.test('leaves no trace when it stops, when the process ends, and after `max` events', async (t) => {
  const ways: ((pid: Pid, traced: Trace, processes: ReturnType<typeof setUp>) => void)[] = [
    (_pid, traced) => {
      traced.stop()
      traced.stop()
    },
    (pid, _traced, { processes }) => { processes.exit(pid) },
    (pid, _traced, { processes }) => { processes.send(pid, 'to', 'nobody') }
  ]
  for (const end of ways) {
    const system = setUp()
    const { runtime, processes, trace, spawn, clock } = system
    const pid = spawn()
    const entity = runtime.processTable.getEntity(pid)!
    const { mailbox } = entity as unknown as { mailbox: object }
    const objects = [entity, mailbox, runtime.messenger]
    const before = replaced(...objects)
    const { relations } = held(runtime)
    const traced = trace(pid, { max: 1 })
    t.strictSame(replaced(...objects).slice(before.length).length, 6)
    end(pid, traced, system)
    t.strictSame(replaced(...objects), before)
    t.equal(traced.events.length <= 1, true)
    clock.run()
    t.ok(held(runtime).relations <= relations)
    const count = traced.events.length
    processes.send(pid, 'to', pid)
    clock.run()
    t.equal(traced.events.length, count)
  }
})

t.test('stops when its listener throws, and logs why', async (t) => {
  const { processes, trace, spawn, lines, runtime } = setUp()
  const pid = spawn()
  const error = new Error('in the listener')
  processes.trace(pid, {}, () => { throw error })
  t.ok(processes.send(pid, 'to', 'nobody'))
  t.match(lines, [{
    level: 'error',
    args: [{ relayPid: pid, err: error }, 'a trace stops: its listener has failed']
  }])
  t.strictSame(replaced(runtime.messenger), [])
  t.ok(trace(pid))
})

t.test('stops within its own listener', async (t) => {
  const { processes, spawn } = setUp()
  const pid = spawn()
  let events = 0
  const traced = processes.trace(pid, {}, () => {
    events++
    traced.stop()
    processes.send(pid, 'to', 'nobody')
  })
  processes.send(pid, 'to', 'nobody')
  t.equal(events, 1)
})

t.test('refuses a process that is not there, and wrong options', async (t) => {
  const { processes, spawn } = setUp()
  const pid = spawn()
  const ignore = (): void => {}
  t.throws(() => processes.trace('nobody', {}, ignore), { code: 'FST_PROCESS_NOT_ALIVE' })
  t.throws(() => processes.trace(5 as never, {}, ignore), { code: 'FST_PROCESS_INVALID_PID' })
  for (const [options, listener, message] of [
    [{ max: 0 }, ignore, /'max' must be an integer from 1 to 1000000/],
    [{ payloads: 'yes' }, ignore, /'payloads' must be a boolean/],
    [{ payload: true }, ignore, /a trace has no field 'payload'/],
    [undefined, ignore, /expected an object/],
    [{}, undefined, /expected a function as the listener of a trace/]
  ] as const) {
    t.throws(() => processes.trace(pid, options as never, listener as never), {
      code: 'FST_PROCESS_INVALID_OPTIONS', message
    })
  }
})
