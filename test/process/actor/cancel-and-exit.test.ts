// A process that is cancelled or exited: its signal, its mail, its clean-up and its reason.
import t from 'tap'
import { once } from 'node:events'
import { build, deferred, drain, probe, settle } from '../helpers.js'
import type { Process } from '../../../types/processes.js'

t.test('never starts a body when the process ends before its first turn', async (t) => {
  const processes = build(t)
  const pid = processes.spawn(() => t.fail('started'))
  t.ok(processes.exit(pid, 'changed my mind'))
  t.notOk(processes.alive(pid))
  await settle()
})

t.test(
  'cancel aborts the signal, delivers queued mail, then @cancel, and ends the inbox',
  async (t) => {
    const processes = build(t)
    const log: string[] = []
    const go = deferred()
    const pid = processes.spawn(async (self) => {
      self.signal.addEventListener('abort', () => {
        log.push(`aborted: ${self.signal.reason.code}`)
        t.notOk(processes.send(pid, 'from the listener'))
      })
      await go.promise
      for await (const { topic, payload } of self.inbox) {
        log.push(topic === '@cancel' ? `${topic} ${payload.reason} ${payload.from}` : topic)
      }
      log.push('cleaning up')
      t.ok(self.send(watcher.pid, 'bye'), 'it may still send')
      return 'done'
    })
    const watcher = probe(processes, {})
    await settle()
    processes.send(pid, 'a')
    processes.send(pid, 'b')
    t.ok(processes.cancel(pid, 'maintenance'))
    t.ok(processes.cancel(pid), 'it is alive, and told already')
    t.notOk(processes.send(pid, 'too late'))
    t.equal(processes.info(pid)?.status, 'exiting')
    go.resolve()
    t.match(await processes.exited(pid), { reason: 'shutdown', value: 'done' })
    t.strictSame(log, [
      'aborted: FST_PROCESS_STOPPED',
      'a',
      'b',
      '@cancel maintenance undefined',
      'cleaning up'
    ])
    t.match(await watcher.until(1), [{ topic: 'bye', from: pid }])
  }
)

t.test('delivers a cancel that came before the body started', async (t) => {
  const processes = build(t)
  const topics: string[] = []
  const pid = processes.spawn(async (self) => {
    t.ok(self.signal.aborted)
    for await (const { topic } of self.inbox) topics.push(topic)
  })
  processes.send(pid, 'mail')
  processes.cancel(pid)
  t.match(await processes.exited(pid), { reason: 'shutdown' })
  t.strictSame(topics, ['mail', '@cancel'])
})

t.test('adds an error of the clean-up to the exit, but no abort error', async (t) => {
  const processes = build(t)
  const error = new Error('broken')
  const hostile = Object.defineProperty(new Error('broken'), 'name', { get () { throw error } })
  const cases: Array<[string, (self: Process) => unknown, Error | undefined]> = [
    [
      'throws',
      async (self) => {
        await drain(self.inbox)
        throw error
      },
      error
    ],
    [
      'throws what cannot be looked at',
      async (self) => {
        await drain(self.inbox)
        throw hostile
      },
      hostile
    ],
    [
      'gives up in receive',
      async (self) => {
        for (;;) await self.receive()
      },
      undefined
    ],
    [
      'gives up by the signal',
      (self) =>
        new Promise((_resolve, reject) => {
          self.signal.onabort = () => {
            reject(self.signal.reason)
          }
        }),
      undefined
    ],
    [
      'gives up as Node does',
      async (self) => {
        await once(new EventTarget(), 'never', { signal: self.signal })
      },
      undefined
    ],
    [
      'stops',
      async (self) => {
        await drain(self.inbox)
        self.stop()
      },
      undefined
    ],
    [
      'swallows',
      async (self) => {
        try {
          for (;;) await self.receive()
        } catch {}
      },
      undefined
    ]
  ]
  for (const [name, body, expected] of cases) {
    const pid = processes.spawn(body)
    await settle()
    processes.cancel(pid)
    const exit = await processes.exited(pid)
    t.equal(exit.reason, 'shutdown', name)
    t.equal(exit.error, expected, name)
  }
})

t.test('uses the reason of a stop after a cancel', async (t) => {
  const processes = build(t)
  const pid = processes.spawn(async (self) => { await drain(self.inbox); self.stop('flushed') })
  processes.cancel(pid)
  t.match(await processes.exited(pid), { reason: 'flushed' })
})

t.test('exit ends a process at once', async (t) => {
  const processes = build(t)
  const go = deferred()
  const over = deferred<unknown[]>()
  const watcher = probe(processes)
  const pid = processes.spawn(async (self) => {
    const { signal } = self
    signal.addEventListener('abort', () => {
      t.notOk(processes.alive(pid), 'it is gone when the signal fires')
      t.equal(processes.names.lookup('worker'), undefined)
    })
    await go.promise
    const topics: string[] = []
    for await (const { topic } of self.inbox) topics.push(topic)
    over.resolve([
      topics,
      signal.aborted,
      self.send(watcher.pid, 'x'),
      self.exit(watcher.pid),
      self.cancel(watcher.pid),
      await self.receive().catch((err) => err.code),
      await self.call(watcher.pid, 'x').catch((err) => err.code),
      ...[
        () => self.spawn(() => {}),
        () => self.supervise({}),
        () => self.monitor(pid),
        () => self.link(pid),
        () => self.sendAfter(0, pid, 'x')
      ].map(codeOf),
      await self.serve({}),
      codeOf(() => self.stop())
    ])
    throw new Error('that concerns nobody')
  }, { name: 'worker', monitor: watcher.pid })
  await settle()
  processes.send(pid, 'lost')
  t.ok(processes.exit(pid, 'because'))
  t.notOk(processes.exit(pid), 'it is gone')
  go.resolve()
  const stopped = 'FST_PROCESS_STOPPED'
  t.strictSame(await over.promise, [
    [],
    true,
    false,
    false,
    false,
    stopped,
    stopped,
    stopped,
    stopped,
    stopped,
    stopped,
    stopped,
    undefined,
    stopped
  ])
  await settle()
  t.match(await watcher.until(1), [
    { topic: '@exit', payload: { pid, reason: 'because', error: undefined } }
  ])
  t.equal(watcher.seen.length, 1)
})

t.test('exits with shutdown by default, and with killed for kill', async (t) => {
  const processes = build(t)
  for (const [reason, expected] of [
    [undefined, 'shutdown'],
    ['kill', 'killed'],
    ['normal', 'normal'],
    ['boom', 'boom']
  ] as const) {
    const pid = processes.spawn((self) => self.receive())
    const exited = processes.exited(pid)
    processes.exit(pid, reason)
    t.match(await exited, { reason: expected })
  }
})

function codeOf (task: () => unknown): string | undefined {
  try {
    task()
    return undefined
  } catch (err) {
    return (err as { code?: string }).code
  }
}
