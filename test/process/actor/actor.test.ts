import t from 'tap'
import { build, buildRuntime, deferred, drain, recordingLogger, settle } from '../helpers.js'
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
  const target = runtime.processTable.findEntity(pid)!
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
  t.equal(accept.call(target, 'ws.leave', 4, pid, 0), false, 'its caller counts the refusal')
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
  await runtime.shutdown.close(0)
})
