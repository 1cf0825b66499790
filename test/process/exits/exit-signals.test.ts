import t from 'tap'
import { build, buildRuntime, deferred, held, probe, recordingLogger, settle } from '../helpers.js'
import { isOrderly } from '../../../lib/process/exits/exit-signals.js'
import type { Pid } from '../../../types/pid.js'
import type { Process, Processes } from '../../../types/processes.js'
import type { SpawnOptions } from '../../../types/options.js'

/** A process that waits, and its `self`. */
async function started (
  processes: Pick<Processes, 'spawn'>,
  options?: SpawnOptions<[]>
): Promise<Process> {
  const self = deferred<Process>()
  processes.spawn(async (given) => {
    self.resolve(given)
    await given.receive({ topic: '@exit' })
  }, options)
  return await self.promise
}

t.test('treats only normal and shutdown as orderly', async (t) => {
  for (const [reason, orderly] of [
    ['normal', true],
    ['shutdown', true],
    ['killed', false],
    ['error', false],
    ['noproc', false],
    ['Normal', false]
  ] as const) {
    t.equal(isOrderly(reason), orderly)
  }
})

t.test(
  'ends a linked process with the reason and error of its peer, in both directions',
  async (t) => {
    const processes = build(t)
    const error = new Error('broken')
    const one = await started(processes)
    processes.spawn(
      () => {
        throw error
      },
      { link: one.pid }
    )
    t.match(await processes.exited(one.pid), { reason: 'error', error })

    const two = await started(processes)
    const three = await started(processes, { link: two.pid })
    const exited = processes.exited(three.pid)
    processes.exit(two.pid, 'kill')
    t.match(await exited, { reason: 'killed' })
  }
)

t.test('ends no process after an orderly exit or an unlink', async (t) => {
  const { runtime, processes } = buildRuntime()
  const one = await started(processes)
  for (const reason of ['normal', 'shutdown']) {
    const peer = await started(processes, { link: one.pid })
    processes.exit(peer.pid, reason)
    t.ok(processes.alive(one.pid))
  }
  const peer = await started(processes)
  one.link(peer.pid)
  one.link(peer.pid)
  t.strictSame(processes.info(one.pid)?.links, [peer.pid])
  t.strictSame(processes.info(peer.pid)?.links, [one.pid])
  peer.unlink(one.pid)
  peer.unlink(one.pid)
  peer.unlink('nobody')
  processes.exit(peer.pid, 'boom')
  t.ok(processes.alive(one.pid), 'unlink holds at once')
  processes.exit(one.pid)
  t.strictSame(held(runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
})

t.test('ignores a link of a process with itself', async (t) => {
  const processes = build(t)
  const one = await started(processes)
  one.link(one.pid)
  t.strictSame(processes.info(one.pid)?.links, [])
})

t.test('treats a link with a dead process as its exit', async (t) => {
  const processes = build(t)
  for (const [to, reason] of [
    ['7@local.abc', 'noproc'],
    ['nobody', 'noproc'],
    ['1@elsewhere.abc', 'noconnection']
  ]) {
    const one = await started(processes)
    const exited = processes.exited(one.pid)
    one.link(to)
    t.notOk(processes.alive(one.pid))
    t.match(await exited, { reason })
  }
})

t.test(
  'trapLinks turns the failure of a peer into a message, but does not trap exit',
  async (t) => {
    const processes = build(t)
    const error = new Error('broken')
    const trapping = probe(processes, { trapLinks: true })
    const failing = processes.spawn(
      () => {
        throw error
      },
      { link: trapping.pid }
    )
    const orderly = processes.spawn(() => {}, { link: trapping.pid })
    await processes.exited(orderly)
    processes.spawn(
      (self) => {
        self.trapLinks = true
        t.ok(self.trapLinks)
        self.link('1@local.abc')
      },
      { link: trapping.pid }
    )
    await settle()
    t.match(trapping.seen, [
      { topic: '@link_down', from: undefined, payload: { pid: failing, reason: 'error', error } }
    ])
    t.equal(trapping.seen.length, 1)
    t.ok(processes.exit(trapping.pid, 'boom'))
    t.notOk(processes.alive(trapping.pid))
  }
)

t.test('delivers @link_down when a trapping process links with a dead one', async (t) => {
  const processes = build(t)
  const trapping = probe(processes, { trapLinks: true, link: '1@local.abc' as Pid })
  t.match(await trapping.until(1), [
    { topic: '@link_down', payload: { pid: '1@local.abc', reason: 'noproc' } }
  ])
})

t.test(
  'chains and rings of a hundred thousand links end without a stack overflow',
  { timeout: 60_000 },
  async (t) => {
    for (const shape of ['chain', 'ring']) {
      const { runtime, processes } = buildRuntime()
      const pids: Pid[] = []
      for (let i = 0; i < 100_000; i++) {
        pids.push(processes.spawn(() => {}, i > 0 ? { link: pids[i - 1] } : {}))
      }
      if (shape === 'ring') runtime.relations.addLink(pids[0], pids[99_999])
      const last = processes.exited(pids[99_999])
      processes.exit(pids[0], 'boom')
      t.match(await last, { reason: 'boom' })
      t.strictSame(held(runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
    }
  }
)

t.test(
  'sends exit signals after all messages of the process, when it is no longer alive',
  async (t) => {
    const processes = build(t)
    const watcher = probe(processes)
    processes.spawn(
      (self) => {
        for (let i = 0; i < 3; i++) self.send(watcher.pid, 'mail', i)
        throw new Error('broken')
      },
      { monitor: watcher.pid }
    )
    t.strictSame(
      (await watcher.until(4)).map(({ topic }) => topic),
      ['mail', 'mail', 'mail', '@exit']
    )
  }
)

t.test('signals the other listeners when one throws', async (t) => {
  const { logger, lines } = recordingLogger()
  const { runtime, processes } = buildRuntime({ logger })
  const failure = new Error('watcher')
  const one = await started(processes)
  runtime.exitSignals.monitor(one.pid, { targetEnded () { throw failure } })
  const exited = processes.exited(one.pid)
  processes.exit(one.pid)
  t.match(await exited, { reason: 'shutdown' })
  t.match(lines, [
    {
      level: 'error',
      args: [{ relayPid: one.pid, err: failure }, 'could not deliver an exit signal']
    }
  ])
  t.match(
    await processes.exited(processes.spawn(() => {})),
    { reason: 'normal' },
    'ends are still told'
  )
})

t.test('signals the other linked processes when one throws', async (t) => {
  const { logger, lines } = recordingLogger()
  const { runtime, processes } = buildRuntime({ logger })
  const failure = new Error('peer')
  const one = await started(processes)
  const [broken, sound] = [
    await started(processes, { link: one.pid }), await started(processes, { link: one.pid })
  ]
  Object.assign(runtime.processTable.getEntity(broken.pid)!, { linkFailed () { throw failure } })
  const exited = processes.exited(sound.pid)
  processes.exit(one.pid, 'broken')
  t.match(await exited, { reason: 'broken' })
  t.match(lines, [
    {
      level: 'error',
      args: [{ relayPid: one.pid, err: failure }, 'could not deliver an exit signal']
    }
  ])
})

t.test('checks the condition of waitUntil after each exit', async (t) => {
  const { runtime, processes } = buildRuntime()
  const [one, two] = [await started(processes), await started(processes)]
  const gone = runtime.exitSignals.waitUntil(() => runtime.processTable.size === 0)
  processes.exit(one.pid)
  await settle()
  t.equal(runtime.processTable.size, 1)
  processes.exit(two.pid)
  await gone
  await runtime.exitSignals.waitUntil(() => true)
})

t.test('lets code that runs after an exit end other processes', async (t) => {
  const processes = build(t)
  const order: string[] = []
  const body = (name: string, next: () => unknown) => (self: Process): unknown => {
    self.signal.addEventListener('abort', () => { order.push(name); next() })
    return self.receive()
  }
  const last = processes.spawn(body('last', () => {}))
  const first = processes.spawn(body('first', () => processes.exit(last)))
  const linked = processes.spawn(body('linked', () => {}), { link: first })
  await settle()
  processes.exit(first, 'boom')
  t.strictSame(order, ['first', 'last', 'linked'])
  t.notOk(processes.alive(linked))
})
