// The contract of monitors, links and exits between nodes.
import { dead, echo, nowhere, started } from './nodes.js'
import type { Sentence } from './nodes.js'
import type { Pid } from '../../../types/pid.js'

export function ends (sentence: Sentence): void {
  sentence(
    'sends each monitor on every node one exit, with its reason and error',
    async (t, nodes) => {
      const { a, b, c } = nodes
      const table: Array<[end: (pid: Pid) => unknown, expected: object]> = [
        [(pid) => a.exit(pid, 'boom'), { reason: 'boom' }],
        [(pid) => a.exit(pid), { reason: 'shutdown' }],
        [(pid) => a.exit(pid, 'kill'), { reason: 'killed' }],
        [(pid) => a.cancel(pid, 'please'), { reason: 'shutdown' }],
        [(pid) => a.send(pid as string, 'stop', 'normal'), { reason: 'normal' }],
        [
          (pid) => a.send(pid as string, 'throw', 'E_END'),
          { reason: 'error', error: { message: 'it broke', code: 'E_END' } }
        ]
      ]
      for (const [end, expected] of table) {
        const target = await b.spawn()
        const here = await started(nodes)
        const far = await c.spawn()
        const monitors = [here.monitor(target.pid), here.monitor(target.pid)]
        here.demonitor(here.monitor(target.pid))
        await far.callSelf('monitor', target.pid)
        // The monitors are in place when these calls are answered.
        await here.call(target.pid as string, 'echo')
        await far.callSelf('call', target.pid, 'echo')
        const exited = a.exited(target.pid)
        end(target.pid)
        t.match(await exited, { pid: target.pid, ...expected })
        const messages = [await here.receive(), await here.receive()]
        t.match(
          messages.map(({ topic, payload }) => ({ topic, ...(payload as object) })),
          monitors.map((monitor) => ({ topic: '@exit', pid: target.pid, monitor, ...expected }))
        )
        await far.until(1)
        t.match(far.mail, [{ topic: '@exit', payload: { pid: target.pid, ...expected } }])
        // A second exit would have arrived before these answers.
        const other = await b.spawn()
        await here.call(other.pid as string, 'echo')
        await far.callSelf('call', other.pid, 'echo')
        t.equal(await here.receive({ timeout: 0 }), undefined, 'no more')
        t.equal(far.mail.length, 1)
        a.exit(here.pid)
        await Promise.all([other, far].map((one) => one.exit()))
      }
    }
  )

  sentence(
    'answers a monitor with noproc for a dead process, and noconnection for an unknown node',
    async (t, nodes) => {
      const { a, b, c } = nodes
      const gone = await dead(b)
      for (const [pid, reason] of [
        [gone, 'noproc'],
        [nowhere, 'noconnection']
      ] as const) {
        const here = await started(nodes)
        const monitor = here.monitor(pid)
        t.match(await here.receive(), { topic: '@exit', payload: { pid, monitor, reason } })
        t.match(await a.exited(pid), { pid, reason })
        const far = await c.spawn()
        await far.callSelf('monitor', pid)
        await far.until(1)
        t.match(far.mail, [{ topic: '@exit', payload: { pid, reason } }])
        a.exit(here.pid)
        await far.exit()
      }
      const controller = new AbortController()
      const there = await b.spawn()
      const aborted = a.exited(there.pid, { signal: controller.signal })
      controller.abort(new Error('enough'))
      await t.rejects(aborted, { message: 'enough' })
      await there.exit()
    }
  )

  sentence(
    'delivers a cancel after the mail, with its sender, and refuses one to an unknown node',
    async (t, nodes) => {
      const { a, b } = nodes
      const there = await b.spawn()
      const here = await started(nodes)
      await there.hold()
      here.send(there.pid as string, 'first')
      here.send(there.pid as string, 'second')
      t.ok(here.cancel(there.pid, 'please'))
      await there.until(1)
      await there.release()
      t.match(await there.exited, { reason: 'shutdown' })
      t.match(there.mail, [
        { topic: 'first' },
        { topic: 'second' },
        { topic: '@cancel', payload: { from: here.pid, reason: 'please' } }
      ])
      t.notOk(a.cancel(nowhere))
      t.notOk(a.exit(nowhere))
      a.exit(here.pid)
    }
  )

  sentence('answers synchronous functions from the local node only', async (t, nodes) => {
    const { a, b } = nodes
    const { pid } = await b.spawn()
    t.notOk(a.alive(pid))
    t.equal(a.info(pid), undefined)
    t.notOk(a.list().includes(pid))
    t.throws(() => { a.names.register('name', pid) }, { code: 'FST_PROCESS_NOT_ALIVE' })
    t.notOk(a.groups.join('group', pid))
    t.throws(() => a.spawn(() => t.fail('started'), { monitor: pid }), {
      code: 'FST_PROCESS_INVALID_SPEC'
    })
    t.equal(await b.ask('system', 'alive', pid), true)
    t.ok(a.exit(pid))
  })
}

export function links (sentence: Sentence): void {
  sentence('ends both linked processes when either fails, whoever linked', async (t, nodes) => {
    const { a, b, c } = nodes
    for (const [maker, ending] of [
      ['here', 'here'],
      ['here', 'there'],
      ['there', 'here'],
      ['there', 'there']
    ] as const) {
      const here = await started(nodes)
      const there = await b.spawn()
      if (maker === 'here') here.link(there.pid)
      else await there.callSelf('link', here.pid)
      if (maker === 'here') await here.call(there.pid as string, 'echo')
      else await there.callSelf('call', echo(nodes), 'echo')
      const exits = { here: a.exited(here.pid), there: there.exited }
      if (ending === 'here') a.exit(here.pid, 'boom')
      else await there.exit('boom')
      t.match(
        await Promise.all([exits.here, exits.there]),
        [{ reason: 'boom' }, { reason: 'boom' }],
        `made ${maker}, ended ${ending}`
      )
    }
    const [one, two] = [await b.spawn(), await c.spawn()]
    await one.callSelf('link', two.pid)
    await one.callSelf('call', two.pid, 'echo')
    await two.exit('kill')
    t.match(await one.exited, { reason: 'killed' })
  })

  sentence(
    'ends no linked process when the other ends normally, is unlinked, or links are trapped',
    async (t, nodes) => {
      const { a, b } = nodes
      const here = await started(nodes, { trapLinks: true })
      const calm = await started(nodes)
      for (const reason of ['shutdown', 'normal']) {
        const there = await b.spawn()
        here.link(there.pid)
        calm.link(there.pid)
        await calm.call(there.pid as string, 'echo')
        await there.exit(reason)
        t.match(await a.exited(there.pid), { reason: 'noproc' })
      }
      const undone = await b.spawn()
      calm.link(undone.pid)
      await calm.call(undone.pid as string, 'echo')
      calm.unlink(undone.pid)
      await undone.exit('boom')
      const left = await b.spawn()
      const leaving = await started(nodes)
      leaving.link(left.pid)
      await leaving.call(left.pid as string, 'echo')
      t.strictSame((await b.ask('system', 'info', left.pid)).links, [leaving.pid])
      leaving.unlink(left.pid)
      await leaving.call(left.pid as string, 'echo')
      t.strictSame(
        (await b.ask('system', 'info', left.pid)).links,
        [],
        'removed on the other side too'
      )
      a.exit(leaving.pid, 'boom')
      // A link exit would have arrived before the answer.
      t.equal(await a.call(left.pid as string, 'echo', 'alive'), 'alive')
      await left.exit()
      const failing = await b.spawn()
      here.link(failing.pid)
      await here.call(failing.pid as string, 'echo')
      a.send(failing.pid as string, 'throw', 'E_END')
      t.match(await here.receive(), {
        topic: '@link_down',
        payload: {
          pid: failing.pid,
          reason: 'error',
          error: { message: 'it broke', code: 'E_END' }
        }
      })
      t.strictSame(
        [here, calm].map(({ pid }) => a.info(pid)?.links),
        [[], []]
      )
      const trapping = await b.spawn({ trapLinks: true })
      await trapping.callSelf('link', here.pid)
      await trapping.callSelf('call', echo(nodes), 'echo')
      a.exit(here.pid, 'boom')
      await trapping.until(1)
      t.match(trapping.mail, [{ topic: '@link_down', payload: { pid: here.pid, reason: 'boom' } }])
      t.ok(a.alive(calm.pid))
      a.exit(calm.pid)
      await trapping.exit()
    }
  )

  sentence(
    'treats a link to a dead process as its exit: noproc, or noconnection for an unknown node',
    async (t, nodes) => {
      const { a, b } = nodes
      for (const [pid, reason] of [
        [await dead(b), 'noproc'],
        [nowhere, 'noconnection']
      ] as const) {
        const here = await started(nodes)
        here.link(pid)
        t.match(await a.exited(here.pid), { reason: new RegExp(`^(${reason}|noproc)$`) })
        const trapping = await started(nodes, { trapLinks: true })
        trapping.link(pid)
        t.match(await trapping.receive(), { topic: '@link_down', payload: { pid, reason } })
        a.exit(trapping.pid)
      }
    }
  )

  sentence('links a new process with a remote one when spawn is asked to', async (t, nodes) => {
    const { a, b, c } = nodes
    const peer = await b.spawn()
    const here = await started(nodes, { link: peer.pid })
    const far = await c.spawn({ link: peer.pid })
    await here.call(peer.pid as string, 'echo')
    await far.callSelf('call', peer.pid, 'echo')
    const exited = a.exited(here.pid)
    a.exit(peer.pid, 'boom')
    t.match(await Promise.all([exited, far.exited]), [{ reason: 'boom' }, { reason: 'boom' }])
    const late = await c.spawn({ link: peer.pid })
    t.match(await late.exited, { reason: 'noproc' })
  })
}
