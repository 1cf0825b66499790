// Spans of calls: between processes, from code outside, and between nodes.
import { EventEmitter, once as nextEvent } from 'node:events'
import { SpanKind, context, createTraceState, trace } from '@opentelemetry/api'
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace-base'
import t from 'tap'
import { memory, MemoryHub } from '../../lib/cluster/engines/memory.js'
import { createProcesses } from '../../lib/process/index.js'
import { instrument } from '../../lib/otel/index.js'
import { ProcessSpans } from '../../lib/otel/process-spans.js'
import { Telemetry } from './telemetry.js'
import type { AnyMessage } from '../process/helpers.js'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import type { Test } from 'tap'
import type { Pid } from '../../types/pid.js'
import type { Process, ProcessSystem } from '../../types/processes.js'

function system (t: Test, options = {}): ProcessSystem {
  const processes = createProcesses(options)
  t.teardown(() => processes.close())
  return processes
}

async function end (self: Process): Promise<void> {
  await self.serve({}, ({ topic, reply, fail }: AnyMessage) => {
    if (topic === 'fail') fail(new Error('refused'))
    else if (topic === 'throw') throw new Error('broken')
    else reply(`end of ${topic}`)
  })
}

const call = { kind: 'INTERNAL', links: [], error: undefined }

t.test('calls nest: a handler, its callee, and the callee of that', async (t) => {
  const telemetry = new Telemetry(t)
  const processes = system(t)
  t.teardown(instrument(processes, telemetry.tracer))
  const last = processes.spawn(end)
  const middlePid = processes.spawn(async function middle (self) {
    await self.serve({}, async ({ reply }) => {
      await Promise.resolve()
      reply(await self.call(last, 'ask'))
    })
  })
  const firstPid = processes.spawn(async function first (self) {
    await self.serve({}, async ({ reply }) => { reply(await self.call(middlePid, 'go on')) })
  })
  const answer = await telemetry.within('GET /', () => processes.call(firstPid, 'begin'))
  t.equal(answer, 'end of ask')
  await processes.call(last, 'outside of any span')
  t.strictSame(telemetry.seen.filter(({ name }) => name !== 'GET /'), [
    { ...call, name: 'process end', topic: 'ask', parent: 'process middle' },
    { ...call, name: 'process middle', topic: 'go on', parent: 'process first' },
    { ...call, name: 'process first', topic: 'begin', parent: 'GET /' }
  ])
  t.equal(new Set(telemetry.spans.map((span) => span.spanContext().traceId)).size, 1)
})

t.test('gives a loop over the inbox a span until it asks for the next message', async (t) => {
  const telemetry = new Telemetry(t)
  const processes = system(t)
  t.teardown(instrument(processes, telemetry.tracer))
  const last = processes.spawn(end)
  const active: unknown[] = []
  const loopPid = processes.spawn(async function loop (self) {
    for await (const { reply } of self.inbox) {
      await Promise.resolve()
      active.push(trace.getActiveSpan())
      reply(await self.call(last, 'ask'))
    }
  })
  await telemetry.within('job', async () => {
    await Promise.all([processes.call(loopPid, 'one'), processes.call(loopPid, 'two')])
  })
  await processes.call(loopPid, 'outside')
  t.strictSame(active, [undefined, undefined, undefined], 'its own context')
  t.strictSame(
    telemetry.seen.filter(({ name }) => name !== 'job').map(({ name, topic, parent }) => {
      return [name, topic, parent]
    }),
    [
      ['process end', 'ask', 'process loop'],
      ['process loop', 'one', 'job'],
      ['process end', 'ask', 'process loop'],
      ['process loop', 'two', 'job']
    ]
  )
})

t.test('records errors on the span, with the status', async (t) => {
  const telemetry = new Telemetry(t)
  const processes = system(t)
  t.teardown(instrument(processes, telemetry.tracer))
  const asking = async (body: (self: Process) => Promise<void>, topic: string): Promise<void> => {
    const pid = processes.spawn(body)
    await t.rejects(telemetry.within('job', () => processes.call(pid, topic)))
  }
  await asking(end, 'fail')
  await asking(end, 'throw')
  await asking(async function late (self) {
    await self.serve({}, async () => {
      await Promise.resolve()
      throw new Error('too late')
    })
  }, 'ask')
  await asking(async function loop (self) {
    const { topic } = (await self.receive())!
    throw new Error(`not ${topic}`)
  }, 'ask')
  await asking(async function text (self) {
    // eslint-disable-next-line no-throw-literal
    await self.serve({}, () => { throw 'a text' })
  }, 'ask')
  await asking(async function stops (self) { await self.serve({}, () => { self.stop() }) }, 'ask')
  await asking(async function cancelled (self) {
    await self.serve({}, async () => {
      processes.cancel(self.pid)
      await nextEvent(new EventEmitter(), 'never', { signal: self.signal })
    })
  }, 'ask')
  const spans = telemetry.spans.filter(({ name }) => name !== 'job')
  t.strictSame(
    telemetry.seen.filter(({ name }) => name !== 'job').map(({ name, error }) => [name, error]),
    [
      ['process end', 'refused'], ['process end', 'broken'], ['process late', 'too late'],
      ['process loop', 'not ask'], ['process text', 'a text'], ['process stops', undefined],
      ['process cancelled', undefined]
    ]
  )
  t.strictSame(
    spans.map(({ events }) => events.map(({ attributes }) => attributes?.['exception.message'])),
    [['refused'], ['broken'], ['too late'], ['not ask'], ['a text'], [], []]
  )
})

t.test('ends the span of a loop whose process ends in order, and of one that is killed',
  async (t) => {
    const telemetry = new Telemetry(t)
    const processes = system(t)
    t.teardown(instrument(processes, telemetry.tracer))
    const oncePid = processes.spawn(async function once (self) {
      const { reply } = (await self.receive())!
      reply()
    })
    const stuckPid = processes.spawn(async function stuck (self) {
      const { reply } = (await self.receive())!
      reply()
      await new Promise(() => {})
    })
    await telemetry.within('job', async () => {
      await processes.call(oncePid, 'ask')
      await processes.call(stuckPid, 'ask')
    })
    processes.exit(stuckPid, 'kill')
    t.strictSame(telemetry.seen.map(({ name }) => name), ['process once', 'job', 'process stuck'])
    t.strictSame(telemetry.seen.map(({ error }) => error), [undefined, undefined, undefined])
  })

t.test('calls nest across two nodes', async (t) => {
  const [a, b] = [new Telemetry(t), new Telemetry(t)]
  const hub = new MemoryHub()
  const [near, far] = ['a', 'b'].map((node) => system(t, { node, cluster: memory({ hub }) }))
  await Promise.all([near.ready(), far.ready()])
  t.teardown(instrument(near, a.tracer))
  t.teardown(instrument(far, b.tracer))
  const last = near.spawn(end)
  const middlePid = far.spawn(async function middle (self) {
    await self.serve({}, async ({ topic, reply }) => {
      reply(`${String(topic)}, ${String(await self.call(last, 'a\nb'))}`)
    })
  })
  const firstPid = near.spawn(async function first (self) {
    await self.serve({}, async ({ reply }) => { reply(await self.call(middlePid, 'there')) })
  })
  const answer = await a.within('GET /', () => near.call(firstPid, 'begin'))
  t.equal(answer, 'there, end of a\nb')
  t.equal(await near.call(middlePid, 'without'), 'without, end of a\nb')
  const named = (name: string): ReadableSpan => a.spans.find((span) => span.name === name)!
  const [back, begin, get] = ['process end', 'process first', 'GET /'].map(named)
  const [there] = b.spans
  t.equal(b.spans.length, 1, 'a call without a context makes no span')
  t.match(there, {
    name: 'process middle',
    kind: SpanKind.SERVER,
    parentSpanContext: { spanId: begin.spanContext().spanId, isRemote: true }
  })
  t.match(back, {
    kind: SpanKind.SERVER,
    parentSpanContext: { spanId: there.spanContext().spanId, isRemote: true }
  })
  t.equal(back.attributes['ws_relay.topic'], 'a\nb')
  const ids = [back, begin, get, there].map((span) => span.spanContext().traceId)
  t.equal(new Set(ids).size, 1)
})

t.test('passes on that a trace is not sampled, and its state', async (t) => {
  const telemetry = new Telemetry(t, new AlwaysOffSampler())
  const processes = system(t)
  t.teardown(instrument(processes, telemetry.tracer))
  const seen: unknown[] = []
  const last = processes.spawn(async (self) => {
    await self.serve({}, ({ reply }) => {
      const { traceId, traceFlags, traceState } = trace.getActiveSpan()!.spanContext()
      seen.push(traceId, traceFlags, traceState?.serialize())
      reply()
    })
  })
  const first = processes.spawn(async (self) => {
    await self.serve({}, async ({ reply }) => {
      await self.call(last, 'ask')
      reply()
    })
  })
  const traceId = 'a'.repeat(32)
  const parent = {
    traceId, spanId: 'b'.repeat(16), traceFlags: 0, traceState: createTraceState('x=1,y=2')
  }
  await context.with(trace.setSpanContext(context.active(), parent), () => {
    return processes.call(first, 'begin')
  })
  t.strictSame(seen, [traceId, 0, 'x=1,y=2'])
  t.strictSame(telemetry.spans, [])
})

t.test('does nothing before it starts and after it has stopped', async (t) => {
  const telemetry = new Telemetry(t)
  const processes = system(t, { closeTimeout: 20 })
  const pid = processes.spawn(end)
  await telemetry.within('before', () => processes.call(pid, 'ask'))
  const stop = instrument(processes, telemetry.tracer)
  t.throws(() => instrument(processes, telemetry.tracer), {
    code: 'FST_WS_RELAY_INVALID_OPTIONS', message: /instrumented already/
  })
  const open = processes.spawn(async function waits (self) {
    const { reply } = (await self.receive())!
    reply()
    await new Promise(() => {})
  })
  await telemetry.within('during', () => processes.call(open, 'ask'))
  stop()
  await telemetry.within('after', () => processes.call(pid, 'ask'))
  t.strictSame(telemetry.seen.map(({ name }) => name), ['before', 'during', 'process waits', 'after'])
  instrument(processes)()
})

t.test('refuses what is no process system, and what is no tracer', async (t) => {
  const processes = system(t)
  const code = 'FST_WS_RELAY_INVALID_OPTIONS'
  for (const wrong of [undefined, null, {}, { node: 'a' }, () => {}]) {
    t.throws(() => instrument(wrong as never), { code, message: /app\.processes/ })
  }
  for (const wrong of [null, {}, trace]) {
    t.throws(() => instrument(processes, wrong as never), { code, message: /a Tracer/ })
  }
})

t.test('makes no span for the context of another node that cannot be read', async (t) => {
  const telemetry = new Telemetry(t)
  const spans = new ProcessSpans(telemetry.tracer)
  const process = { pid: '1@a.x' as Pid, label: '' }
  for (const traceparent of ['', 'nothing', undefined]) {
    spans.mailTaken(process, {
      topic: 'ask', payload: undefined, from: '1@b.x' as Pid, call: { traceparent }, fail () {}
    })
  }
  spans.mailAwaited(process)
  t.strictSame(telemetry.spans, [])
})

t.test('records an error of undefined', async (t) => {
  const telemetry = new Telemetry(t)
  const processes = system(t)
  t.teardown(instrument(processes, telemetry.tracer))
  const { nothing } = {} as { nothing?: Error }
  const pid = processes.spawn((self) => self.serve({}, () => Promise.reject(nothing)))
  await t.rejects(telemetry.within('job', () => processes.call(pid, 'ask')))
  t.match(telemetry.seen[0], { name: 'process', error: 'undefined' })
})
