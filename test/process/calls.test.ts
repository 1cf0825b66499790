import t from 'tap'
import { getEventListeners } from 'node:events'
import { mock } from 'node:test'
import { build, buildRuntime, deferred, held, settle } from './helpers.js'
import type { Loose } from './helpers.js'
import type { Message } from '../../types/messages.js'
import type { Process, Processes } from '../../types/processes.js'

const ignore = (self: Process): Promise<void> => self.serve({}, () => {})
const server = (
  processes: Pick<Processes, 'spawn'>,
  handler: (message: Message<Loose>) => unknown
) => processes.spawn<Loose>((self) => self.serve({ '@exit': undefined }, handler))

t.test('resolves a call by reply, rejects it by fail, and ignores later answers', async (t) => {
  const processes = build(t)
  const cause = new Error('no such order')
  const pid = server(processes, ({ payload, reply, fail }) => {
    if (payload === 'fail') fail(cause)
    reply({ payload })
    reply('again')
    fail('too late')
  })
  t.strictSame(await processes.call(pid, 'x', 'a'), { payload: 'a' })
  await t.rejects(processes.call(pid, 'x', 'fail'), { code: 'FST_PROCESS_CALL_FAILED', cause })
  t.equal(await processes.call(server(processes, ({ reply }) => { reply() }), 'x'), undefined)
})

t.test('accepts any value as the error of a callee', async (t) => {
  const processes = build(t)
  for (const error of [undefined, null, 'text', 5, Symbol('s'), {}]) {
    await t.rejects(
      processes.call(
        server(processes, ({ fail }) => {
          fail(error)
        }),
        'x'
      ),
      { code: 'FST_PROCESS_CALL_FAILED' }
    )
  }
})

t.test('passes the PID of the caller, and undefined for code outside', async (t) => {
  const processes = build(t)
  const pid = server(processes, ({ from, reply }) => { reply(from) })
  t.equal(await processes.call(pid, 'x'), undefined)
  const caller = processes.spawn((self) => self.call(pid, 'x'))
  t.equal((await processes.exited(caller)).value, caller)
})

t.test('rejects a call to a dead, full or stopping process at once', async (t) => {
  const processes = build(t)
  const dead = processes.spawn(() => {})
  await processes.exited(dead)
  await t.rejects(processes.call(dead, 'x'), { code: 'FST_PROCESS_NOT_ALIVE' })
  await t.rejects(processes.call('nobody', 'x'), { code: 'FST_PROCESS_NOT_ALIVE' })
  await t.rejects(processes.call('1@elsewhere.abc', 'x'), { code: 'FST_PROCESS_NOT_ALIVE' })
  const full = processes.spawn(ignore, { mailboxLimit: 1 })
  processes.send(full, 'x')
  await t.rejects(processes.call(full, 'x'), { code: 'FST_PROCESS_REFUSED' })
  const stopping = processes.spawn(async (self) => {
    await self.serve({})
    await new Promise(() => {})
  })
  processes.cancel(stopping)
  await t.rejects(processes.call(stopping, 'x'), { code: 'FST_PROCESS_REFUSED' })
})

t.test('rejects a call when its callee ends in any state', async (t) => {
  const processes = build(t)
  const gate = deferred()
  const error = new Error('broken')
  const ends: Array<[string, (pid: string) => unknown]> = [
    ['before', () => {}],
    ['queued', settle],
    ['handling', settle]
  ]
  for (const [name, wait] of ends) {
    const pid = processes.spawn<Loose>(async (self) => {
      if (name === 'handling') await self.serve({ x: () => gate.promise })
      else await gate.promise
    })
    const called = processes.call(pid, 'x')
    await wait(pid)
    processes.exit(pid, 'gone')
    await t.rejects(called, { code: 'FST_PROCESS_CALL_FAILED', message: /gone/ }, name)
  }
  const pid = server(processes, () => { throw error })
  await t.rejects(processes.call(pid, 'x'), { code: 'FST_PROCESS_CALL_FAILED', cause: error })
})

t.test('rejects a call after its timeout, and ignores a late answer', async (t) => {
  const { runtime, processes } = buildRuntime()
  const late = deferred<Message<Loose>>()
  const pid = server(processes, (message) => { late.resolve(message) })
  await t.rejects(processes.call(pid, 'x', 1, { timeout: 1 }), { code: 'FST_PROCESS_CALL_TIMEOUT' })
  const message = await late.promise
  message.reply('late')
  message.fail('later')
  t.equal(runtime.relations.size, 0)
  processes.exit(pid)
})

t.test('rejects a call after 5 seconds by default', async (t) => {
  const processes = build(t)
  const pid = processes.spawn(ignore)
  await settle()
  mock.timers.enable({ apis: ['setTimeout'] })
  t.teardown(() => { mock.timers.reset() })
  let over = false
  const called = processes.call(pid, 'x').catch((err) => { over = true; return err })
  mock.timers.tick(4999)
  await settle()
  t.notOk(over)
  mock.timers.tick(1)
  t.match(await called, { code: 'FST_PROCESS_CALL_TIMEOUT', message: /5000 ms/ })
})

t.test('lets a callee answer during its clean-up, and pass a call on', async (t) => {
  const processes = build(t)
  const other = processes.spawn<Loose>((self) =>
    self.serve({
      answer: ({ reply }) => {
        reply('from the other')
      }
    })
  )
  const pid = processes.spawn<Loose>(async (self) => {
    const held: Array<{ reply (value: unknown): void }> = []
    await self.serve({
      hand: (_, message) => {
        self.send(other, 'answer', message)
      },
      hold: (_, message) => {
        held.push(message)
      }
    })
    for (const { reply } of held) reply('at last')
    await settle()
  })
  t.equal(await processes.call(pid, 'hand'), 'from the other')
  const held = processes.call(pid, 'hold')
  processes.cancel(pid)
  t.equal(await held, 'at last')
})

t.test('rejects a call with the reason of its signal', async (t) => {
  const { runtime, processes } = buildRuntime()
  const pid = processes.spawn(ignore)
  const controller = new AbortController()
  const called = processes.call(pid, 'x', 1, { signal: controller.signal })
  t.equal(getEventListeners(controller.signal, 'abort').length, 1)
  controller.abort(new Error('changed my mind'))
  await t.rejects(called, { message: 'changed my mind' })
  await t.rejects(processes.call(pid, 'x', 1, { signal: controller.signal }), {
    message: 'changed my mind'
  })
  await settle()
  t.equal(processes.stats().sent, 1, 'one that was aborted before was not sent')
  t.equal(runtime.relations.size, 0)
  processes.exit(pid)
})

t.test('keeps nothing of a settled call', async (t) => {
  const { runtime, processes } = buildRuntime()
  const controller = new AbortController()
  const options = { signal: controller.signal }
  const answering = server(processes, ({ payload, reply, fail }) => {
    if (payload === 1) reply()
    else fail('no')
  })
  const ending = processes.spawn(async (self) => { await self.receive() })
  const results = await Promise.allSettled([
    processes.call(answering, 'x', 1, options),
    processes.call(answering, 'x', 2, options),
    processes.call(ending, 'x', 1, options),
    processes.call('nobody', 'x', 1, options)
  ])
  t.strictSame(
    results.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'rejected']
  )
  t.equal(getEventListeners(controller.signal, 'abort').length, 0)
  t.equal(
    process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length,
    0,
    'tap itself has none here'
  )
  processes.exit(answering)
  t.strictSame(held(runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
})

t.test('rejects the calls of an ended process, without an unhandled rejection', async (t) => {
  const { runtime, processes } = buildRuntime()
  const pid = processes.spawn(ignore)
  const called = deferred<Promise<unknown>>()
  const caller = processes.spawn(async (self) => {
    called.resolve(Promise.resolve({ call: self.call(pid, 'x') }))
    await self.receive()
  })
  const { call } = await called.promise as { call: Promise<unknown> }
  t.equal(runtime.relations.size, 1)
  processes.exit(caller)
  await settle()
  t.equal(runtime.relations.size, 0)
  await t.rejects(call, { code: 'FST_PROCESS_STOPPED' })
  processes.exit(pid)
})

t.test('rejects with a code for wrong arguments', async (t) => {
  const processes = build(t)
  const pid = processes.spawn(ignore)
  const cases: Array<[unknown[], string]> = [
    [[undefined, 'x'], 'FST_PROCESS_INVALID_PID'],
    [[null, 'x'], 'FST_PROCESS_INVALID_PID'],
    [[5, 'x'], 'FST_PROCESS_INVALID_PID'],
    [[Symbol('pid'), 'x'], 'FST_PROCESS_INVALID_PID'],
    [['not a pid', 'x'], 'FST_PROCESS_NOT_ALIVE'],
    [[pid], 'FST_PROCESS_INVALID_TOPIC'],
    [[pid, '@exit'], 'FST_PROCESS_INVALID_TOPIC'],
    [[pid, 5], 'FST_PROCESS_INVALID_TOPIC'],
    [[pid, 'x', 1, { timeout: 'soon' }], 'FST_PROCESS_INVALID_DURATION'],
    [[pid, 'x', 1, { timeout: -1 }], 'FST_PROCESS_INVALID_DURATION'],
    [[pid, 'x', 1, { signal: 5 }], 'FST_PROCESS_INVALID_OPTIONS'],
    [[pid, 'x', 1, { signal: {} }], 'FST_PROCESS_INVALID_OPTIONS'],
    [[pid, 'x', 1, { timeout: 1, signal: null }], 'FST_PROCESS_CALL_TIMEOUT']
  ]
  for (const [args, code] of cases) {
    await t.rejects(processes.call(...(args as [string, string])), { code })
  }
  const answering = server(processes, ({ reply }) => { reply(1) })
  t.equal(await processes.call(answering, 'x', 1, null as never), 1)
})
