import t from 'tap'
import { once } from 'node:events'
import { build, buildRuntime, deferred, drain, probe, recordingLogger, settle } from '../helpers.js'
import type { Process } from '../../../types/processes.js'

t.test('ends with a reason that depends on how the body ends', async (t) => {
  const processes = build(t)
  const error = new Error('broken')
  const object = {}
  const cases: Array<[string, (self: Process) => unknown, object]> = [
    ['returns', () => 42, { reason: 'normal', value: 42 }],
    ['returns an object', () => object, { reason: 'normal', value: object }],
    ['returns nothing', () => {}, { reason: 'normal', value: undefined, error: undefined }],
    ['resolves', async () => 42, { reason: 'normal', value: 42 }],
    [
      'resolves a thenable',
      () => ({
        then: (resolve: (value: unknown) => void) => {
          resolve(42)
        }
      }),
      { reason: 'normal', value: 42 }
    ],
    [
      'throws',
      () => {
        throw error
      },
      { reason: 'error', error }
    ],
    [
      'rejects',
      async () => {
        throw error
      },
      { reason: 'error', error }
    ],

    [
      'rejects with nothing',
      // eslint-disable-next-line prefer-promise-reject-errors
      () => Promise.reject(),
      { reason: 'error', error: { message: 'undefined' } }
    ],
    [
      'has a `then` that throws',
      () => ({
        get then () {
          throw error
        }
      }),
      { reason: 'error', error }
    ],
    ['stops', (self) => self.stop(), { reason: 'normal', error: undefined }],
    [
      'stops with a reason',
      async (self) => self.stop('enough'),
      { reason: 'enough', error: undefined }
    ],
    [
      'stops, and says something else in vain',
      (self) => {
        try {
          self.stop('one')
        } finally {
          self.stop('two')
        }
      },
      { reason: 'one' }
    ],
    [
      'stops and swallows it',
      (self) => {
        try {
          self.stop('enough')
        } catch {}
        return 5
      },
      { reason: 'enough', value: 5 }
    ],
    [
      'stops and fails behind it',
      (self) => {
        try {
          self.stop()
        } catch {
          throw error
        }
      },
      { reason: 'error', error }
    ],
    [
      'stops with nonsense',
      (self) => self.stop(5 as never),
      { reason: 'error', error: { code: 'FST_PROCESS_INVALID_REASON' } }
    ]
  ]
  for (const [name, body, expected] of cases) {
    const exit = await processes.exited(processes.spawn(body))
    for (const [key, value] of Object.entries(expected)) {
      t[key === 'error' && value !== error ? 'match' : 'equal'](
        exit[key as 'reason'],
        value,
        `${name}: ${key}`
      )
    }
  }
})

t.test('a body starts in a later turn, with its arguments', async (t) => {
  const processes = build(t)
  const args = deferred<unknown[]>()
  let started = false
  const payload = {}
  processes.spawn(
    (_self, ...given: unknown[]) => {
      started = true
      args.resolve(given)
    },
    { args: [1, payload] }
  )
  t.notOk(started)
  t.strictSame(await args.promise, [1, payload])
})

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

t.test('has an aborted signal after the end', async (t) => {
  const processes = build(t)
  let late!: Process
  const early = deferred<AbortSignal>()
  await processes.exited(processes.spawn((self) => { late = self; early.resolve(self.signal) }))
  t.ok((await early.promise).aborted)
  t.equal(late.signal.reason.code, 'FST_PROCESS_STOPPED')
  const pid = processes.spawn((self) => { late = self; return self.receive() })
  await settle()
  processes.exit(pid)
  t.ok(late.signal.aborted)
  t.equal(late.signal, late.signal)
})

t.test('shows status and mailbox length in info', async (t) => {
  const processes = build(t)
  const step = deferred()
  const pid = processes.spawn(async function worker (self) {
    await step.promise
    await self.serve({ wait: () => new Promise(() => {}) } as never)
  })
  await settle()
  t.match(processes.info(pid), { kind: 'process', label: 'worker', status: 'running', mailbox: 0 })
  step.resolve()
  await settle()
  t.equal(processes.info(pid)?.status, 'waiting')
  processes.send(pid, 'wait')
  processes.send(pid, 'wait')
  await settle()
  t.match(processes.info(pid), { status: 'running', mailbox: 1 })
})

t.test('refuses messages but no system messages when the mailbox is full', async (t) => {
  const processes = build(t)
  const go = deferred()
  const pid = processes.spawn(async (self) => {
    const monitored = processes.spawn(() => {})
    self.monitor(monitored)
    await go.promise
    const topics: string[] = []
    for await (const { topic } of self.inbox) topics.push(topic)
    return topics
  }, { mailboxLimit: 2 })
  await settle()
  t.ok(processes.send(pid, 'a'))
  t.notOk(processes.send(pid, 'b'), 'the @exit fills it, too')
  t.equal(processes.stats().refused, 1)
  processes.cancel(pid)
  go.resolve()
  t.strictSame((await processes.exited(pid)).value, ['@exit', 'a', '@cancel'])
})

t.test('accepts messages of clients above the limit, until the target stops', async (t) => {
  const { runtime, processes } = buildRuntime()
  const pid = processes.spawn(async (self) => { await drain(self.inbox) }, { mailboxLimit: 1 })
  const target = runtime.findEntity(pid)!
  if (!('accept' in target)) throw new Error('a process is a target')
  const {
    accept,
    subscribeToDrain: wait,
    unsubscribeFromDrain: forget
  } = target as never as import('../../../lib/process/entity.js').Target
  const feeder = { resume () {} }
  for (let i = 0; i < 3; i++) accept.call(target, 'ws.message', i, pid, 10)
  t.ok((target as never as { congested: boolean }).congested)
  wait.call(target, feeder)
  forget.call(target, feeder)
  t.equal(processes.info(pid)?.mailbox, 3)
  processes.cancel(pid)
  accept.call(target, 'ws.leave', 4, pid, 0)
  t.equal(processes.stats().refused, 1)
  t.match(await processes.exited(pid), { reason: 'shutdown' })
})

t.test('counts mail that is left at the end as dead letters', async (t) => {
  const processes = build(t)
  const pid = processes.spawn(() => {})
  processes.send(pid, 'a')
  processes.send(pid, 'b')
  await processes.exited(pid)
  t.match(processes.stats(), { sent: 2, delivered: 0, deadLetters: 2 })
})

t.test('logs a failure once, for the process that failed', async (t) => {
  const { logger, lines } = recordingLogger()
  const processes = build(t, { logger })
  const error = new Error('broken')
  const peer = processes.spawn((self) => self.receive())
  const pid = processes.spawn(function room () { throw error }, { link: peer, name: 'room:1' })
  t.match(await processes.exited(peer), { reason: 'error', error })
  t.strictSame(lines, [
    {
      level: 'error',
      args: [
        { relayPid: pid, relayLabel: 'room', relayNames: ['room:1'], err: error },
        'a process has failed'
      ]
    }
  ])
  const nameless = processes.spawn(async () => { throw error })
  await processes.exited(nameless)
  t.strictSame(lines[1].args[0], { relayPid: nameless, err: error })
})

t.test('survives a logger that throws', async (t) => {
  const { logger } = recordingLogger()
  const processes = build(t, { logger: { ...logger, error () { throw new Error('disk full') } } })
  const pid = processes.spawn(() => { throw new Error('broken') })
  t.match(await processes.exited(pid), { reason: 'error' })
  t.match(await processes.exited(processes.spawn(() => 1)), { value: 1 }, 'the others go on')
})

t.test('has a consistent state while abort listeners run', async (t) => {
  const processes = build(t)
  const heirs: string[] = []
  const pid = processes.spawn((self) => {
    self.signal.addEventListener('abort', () => {
      heirs.push(processes.spawn(() => {}, { name: 'worker' }))
    })
    return self.receive()
  }, { name: 'worker' })
  await settle()
  processes.exit(pid)
  t.equal(heirs.length, 1, 'the name was free')
})

function codeOf (task: () => unknown): string | undefined {
  try {
    task()
    return undefined
  } catch (err) {
    return (err as { code?: string }).code
  }
}

t.test('ends a turn after 16 messages or 256 sends', async (t) => {
  const { runtime, processes } = buildRuntime({ mailboxLimit: 1_000_000 })
  const sink = processes.spawn<{ drop: number }>((self) => self.serve({ drop: () => {} }))
  for (const [sends, inOneTurn] of [[0, 16], [10, 16], [100, 3], [1000, 1]]) {
    const order: string[] = []
    const sender = processes.spawn<{ go: null }>((self) => self.serve({
      go: () => {
        order.push('sender')
        for (let i = 0; i < sends; i++) self.send(sink, 'drop', i)
      }
    }))
    const other = processes.spawn<{ go: null }>((self) =>
      self.serve({
        go: () => {
          order.push('other')
        }
      })
    )
    await settle()
    for (let i = 0; i < 20; i++) processes.send(sender, 'go', null)
    processes.send(other, 'go', null)
    while (order.length < 21) await settle()
    t.equal(order.indexOf('other'), inOneTurn, `${sends} sent by each`)
  }
  await runtime.close(0)
})
