// The contract of messages and calls between nodes: order, answers, payloads.
import { echo, nowhere, started } from './nodes.js'
import { probe } from '../../process/helpers.js'
import type { Sentence } from './nodes.js'
import type { Probe } from '../../process/helpers.js'

export function order (sentence: Sentence): void {
  sentence(
    'delivers messages and exits from one sender to one receiver once, in the order sent',
    async (t, nodes) => {
      const { a, b } = nodes
      const there = await b.spawn()
      const sender = await started(nodes)
      for (let i = 0; i < 500; i++) {
        t.ok(sender.send(there.pid as string, i % 2 === 0 ? 'even' : 'odd', i))
        if (i % 50 === 0) await new Promise(setImmediate)
      }
      t.notOk(
        sender.send(there.pid as string, 'x', () => {}),
        'not plain data'
      )
      sender.send(there.pid as string, 'stop', 'enough')
      t.match(await there.exited, { reason: 'enough' })
      t.strictSame(
        there.mail.slice(0, -1).map(({ payload, from }) => [payload, from]),
        Array.from({ length: 500 }, (_, i) => [i, sender.pid])
      )
      a.exit(sender.pid)

      const here = probe(a)
      const back = await b.spawn()
      await back.callSelf('send', here.pid, 'warm up')
      await Promise.all([
        ...Array.from({ length: 200 }, (_, i) => back.callSelf('send', here.pid, 'x', i)),
        b.ask('system', 'send', back.pid, 'throw', 'E_LAST')
      ])
      const watcher = await started(nodes)
      t.match(await a.exited(back.pid), { reason: /noproc|error/ })
      const seen = await here.until(201)
      t.strictSame(
        seen.slice(1).map(({ payload, from }) => [payload, from]),
        Array.from({ length: 200 }, (_, i) => [i, back.pid])
      )
      for (const pid of [here.pid, watcher.pid]) a.exit(pid)
    }
  )

  sentence('delivers an exit after all messages that the process had sent', async (t, nodes) => {
    const { a, b } = nodes
    const there = await b.spawn()
    const here = probe(a)
    const watching = await started(nodes)
    watching.monitor(there.pid)
    for (let i = 0; i < 20; i++) there.callSelf('send', watching.pid, 'x', i)
    await b.ask('system', 'send', there.pid, 'stop', 'done')
    const topics: string[] = []
    while (topics.length < 21) topics.push((await watching.receive()).topic as string)
    t.strictSame(topics, [...Array.from({ length: 20 }, () => 'x'), '@exit'])
    for (const pid of [here.pid, watching.pid]) a.exit(pid)
  })

  sentence(
    'sends with timers to a remote process until they are cancelled or their process ends',
    async (t, nodes) => {
      const { a, b } = nodes
      const here = probe(a)
      const there = await b.spawn()
      const [after, every] = await Promise.all([
        there.timer('sendAfter', '1h', here.pid, 'late'),
        there.timer('sendEvery', 1, here.pid, 'often', 7)
      ])
      await there.timer('sendAfter', 0, here.pid, 'soon', 1)
      await arrives(here, 'soon')
      await arrives(here, 'often')
      t.match(
        here.seen.filter(({ topic }) => topic === 'soon'),
        [{ payload: 1, from: there.pid }]
      )
      await Promise.all([after.cancel(), every.cancel()])
      await there.callSelf('send', here.pid, 'last')
      await arrives(here, 'last')
      t.equal(here.seen.at(-1)?.topic, 'last')
      await there.timer('sendEvery', 1, here.pid, 'again')
      await arrives(here, 'again')
      await there.exit()
      t.match(await a.exited(there.pid), { reason: 'noproc' })
      // Everything it had sent has arrived by now.
      const rest = here.seen.length
      const other = await b.spawn()
      await other.callSelf('call', echo(nodes), 'echo')
      t.equal(here.seen.length, rest, 'no more')
      a.exit(here.pid)
    }
  )
}

/** Resolves when a message with a topic has arrived. */
async function arrives (probe: Probe, topic: string): Promise<void> {
  while (!probe.seen.some((message) => message.topic === topic)) {
    await probe.until(probe.seen.length + 1)
  }
}

export function calls (sentence: Sentence): void {
  sentence(
    'settles a call with the answer, the refusal or the end of the callee, in both directions',
    async (t, nodes) => {
      const { a, b, c } = nodes
      const there = await b.spawn()
      t.strictSame(await a.call(there.pid as string, 'echo', { deep: [1] }), { deep: [1] })
      t.strictSame(await c.ask('system', 'call', there.pid, 'echo', 'from c'), 'from c')
      t.equal(await there.callSelf('call', echo(nodes), 'echo', 5), 5)
      const caller = await started(nodes)
      await caller.call(there.pid as string, 'echo')
      await there.idle()
      t.equal(there.mail.at(-1)?.from, caller.pid)
      await t.rejects(a.call(there.pid as string, 'fail', 'E_NO'), {
        code: 'FST_PROCESS_CALL_FAILED',
        cause: { message: 'it failed', code: 'E_NO' }
      })
      await t.rejects(c.ask('system', 'call', there.pid, 'fail', 'E_NO'), {
        code: 'FST_PROCESS_CALL_FAILED',
        cause: { message: 'it failed', code: 'E_NO' }
      })
      await t.rejects(a.call(there.pid as string, 'throw', 'E_END'), {
        code: 'FST_PROCESS_CALL_FAILED',
        message: /'error'/,
        cause: { message: 'it broke', code: 'E_END' }
      })
      await t.rejects(a.call(there.pid as string, 'echo'), { code: 'FST_PROCESS_NOT_ALIVE' })
      await t.rejects(a.call(nowhere as string, 'echo'), { code: 'FST_PROCESS_REFUSED' })
      a.exit(caller.pid)
    }
  )

  sentence('refuses a call when the callee is full, or is stopping', async (t, nodes) => {
    const { a, b } = nodes
    const full = await b.spawn({ mailboxLimit: 1 })
    await full.hold()
    a.send(full.pid as string, 'taken')
    await full.until(1)
    a.send(full.pid as string, 'waits')
    await t.rejects(a.call(full.pid as string, 'echo'), { code: 'FST_PROCESS_REFUSED' })
    await full.release()
    const stopping = await b.spawn()
    await stopping.hold()
    a.send(stopping.pid as string, 'x')
    await stopping.until(1)
    a.cancel(stopping.pid)
    await t.rejects(a.call(stopping.pid as string, 'echo'), { code: 'FST_PROCESS_REFUSED' })
    await stopping.release()
    t.match(await stopping.exited, { reason: 'shutdown' })
    await full.exit()
  })

  sentence(
    'rejects a call that times out or is aborted, and ignores its late answer',
    async (t, nodes) => {
      const { a, b } = nodes
      const there = await b.spawn()
      await there.hold()
      a.send(there.pid as string, 'x')
      await there.until(1)
      await t.rejects(a.call(there.pid as string, 'echo', 'late', { timeout: 1 }), {
        code: 'FST_PROCESS_CALL_TIMEOUT'
      })
      const controller = new AbortController()
      const aborted = a.call(there.pid as string, 'echo', 'aborted', { signal: controller.signal })
      controller.abort(new Error('enough'))
      await t.rejects(aborted, { message: 'enough' })
      const next = a.call(there.pid as string, 'echo', 'mine')
      await there.release()
      t.equal(await next, 'mine')
      await there.until(4)
      t.strictSame(
        there.mail.map(({ payload }) => payload),
        [undefined, 'late', 'aborted', 'mine'],
        'all of them were sent'
      )
      await there.exit()
    }
  )

  sentence('rejects the calls of a process when it ends', async (t, nodes) => {
    const { a, b } = nodes
    const there = await b.spawn()
    const caller = await started(nodes)
    const called = caller.call(there.pid as string, 'silence')
    await there.until(1)
    a.exit(caller.pid)
    await t.rejects(called, { code: 'FST_PROCESS_STOPPED' })
    await there.exit()
  })
}

const kinds: Record<string, [sent: unknown, arrives: unknown]> = {
  undefined: [undefined, undefined],
  null: [null, null],
  'an empty text': ['', ''],
  'any text': ['grüße 漢字 😀 \0', 'grüße 漢字 😀 \0'],
  numbers: [
    [0, -0, -1, 2 ** 53, 1.5, NaN, Infinity],
    [0, -0, -1, 2 ** 53, 1.5, NaN, Infinity]
  ],
  bytes: [Buffer.from([0, 255]), Buffer.from([0, 255])],
  'bytes of another class': [new Uint16Array([0, 255]), new Uint16Array([0, 255])],
  'no bytes': [Buffer.alloc(0), Buffer.alloc(0)],
  'bytes inside': [{ data: Buffer.from([1, 2]) }, { data: Buffer.from([1, 2]) }],
  'a date': [new Date(1_234_567_890_123), new Date(1_234_567_890_123)],
  'a large BigInt': [2n ** 62n, 2n ** 62n],
  'a small BigInt': [5n, 5n],
  'a larger BigInt': [2n ** 80n, 2n ** 80n],
  'a map': [
    new Map<unknown, unknown>([
      ['a', 1],
      [null, 2]
    ]),
    new Map<unknown, unknown>([
      ['a', 1],
      [null, 2]
    ])
  ],
  'a set': [new Set(['a', 1]), new Set(['a', 1])],
  'undefined inside': [
    { a: undefined, b: [undefined] },
    { a: undefined, b: [undefined] }
  ],
  'a long text': ['x'.repeat(3_000_000), 'x'.repeat(3_000_000)]
}

export function payloads (sentence: Sentence): void {
  sentence('delivers a value unchanged in both directions', async (t, nodes) => {
    const { a, b } = nodes
    const there = await b.spawn()
    for (const [i, [kind, [sent, arrives]]] of Object.entries(kinds).entries()) {
      const back = await a.call(there.pid as string, 'echo', sent, { timeout: '1m' })
      t.strictSame(back, arrives, kind)
      const [received] = (await there.until(i + 1)).slice(i)
      t.strictSame(received.payload, arrives, `${kind}, as the callee received it`)
    }
    await there.exit()
  })

  sentence(
    'refuses a value that cannot be sent unchanged, and delivers no part of it',
    async (t, nodes) => {
      const { a, b } = nodes
      const there = await b.spawn()
      const circular: { self?: unknown } = {}
      circular.self = circular
      for (const payload of [
        () => {},
        Symbol('s'),
        circular,
        { deep: () => {} },
        new Map([[/x/, 1]]),
        new Error('x')
      ]) {
        t.equal(a.send(there.pid as string, 'x', payload), false)
        await t.rejects(a.call(there.pid as string, 'x', payload), { code: 'FST_PROCESS_REFUSED' })
      }
      t.equal(await a.call(there.pid as string, 'echo', 'last'), 'last')
      // Its mail reaches the test by another way than its answers.
      await there.idle()
      t.strictSame(there.topics, ['echo'])
      await there.exit()
    }
  )
}
