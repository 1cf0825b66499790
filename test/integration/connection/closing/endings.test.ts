// docs/relay.md, "The end of a connection": how connections end, and what each side receives.
import t from 'tap'
import { Keeper, allGone, closeOf, joined, start, textOf } from '../support.js'
import { connectTo } from '../peer.js'
import { cases, saw } from './cases.js'
import type { Peer } from '../peer.js'
import type { Rig } from '../support.js'
import type { Pid } from '../../../../types/pid.js'
import type { Process } from '../../../../types/processes.js'

t.test('reports every end once as its table row says, with the leave before @exit', async (t) => {
  for (const { name, options, prepare, end, sees, leave, exit } of cases) {
    await t.test(name, async (t) => {
      const rig = await start(t, options)
      const target = new Keeper(rig)
      const peer = await connectTo(t, rig, { target_pid: target.pid, metadata: { a: 1 } })
      const [{ client_pid: pid }] = await target.until('ws.join')
      const { exit: ended } = await rig.others.watch(pid)
      prepare?.(peer)
      await end(peer, pid, rig, target)
      t.strictSame(await peer.end(), sees, 'the client')
      const { reason, value, error } = await ended
      t.equal(reason, exit)
      t.equal(error, undefined)
      if (leave === undefined) {
        t.strictSame(value, { code: sees.code, reason: 'target process exited', cause: 'target' })
      } else {
        await target.until('@exit')
        t.strictSame(
          target.topics.filter((topic) => topic !== '@cancel'),
          ['ws.join', 'ws.leave', '@exit']
        )
        t.strictSame(target.mail[1], {
          topic: 'ws.leave',
          payload: { client_pid: pid, ...leave, metadata: { a: 1 } },
          from: pid
        })
        t.strictSame(value, leave)
        t.match(target.mail[2].payload, { pid, reason: exit, value: leave })
      }
      t.equal(rig.processes.alive(pid), false)
      t.equal(rig.processes.info(pid), undefined)
      await allGone(rig)
    })
  }
})

t.test('closes with 1013 when the target ends before it took the join, for any reason', async t => {
  const rig = await start(t)
  const ends: Record<string, (pid: Pid) => unknown> = {
    'it is stopped': (pid) => rig.processes.exit(pid),
    'it is killed': (pid) => rig.processes.exit(pid, 'kill'),
    'it fails': (pid) => rig.processes.exit(pid, 'boom'),
    'it is cancelled': (pid) => rig.processes.cancel(pid),
    'it stops by itself': (pid) => rig.processes.send(pid, 'stop')
  }
  for (const [name, end] of Object.entries(ends)) {
    let leave = (): void => {}
    const left = new Promise<void>((resolve) => { leave = resolve })
    // It handles another message first and awaits something, like a room that stores a message.
    const target = rig.processes.spawn(async (self) => {
      const message = await self.receive({ topic: 'stop' }).catch(() => undefined)
      if (message !== undefined) self.stop()
      await left
    })
    const peer = await connectTo(t, rig, { target_pid: target })
    const [client] = rig.processes.list().filter((pid) => rig.processes.info(pid)?.kind === 'ws')
    const ended = rig.processes.exited(client)
    end(target)
    leave()
    t.strictSame(await peer.end(), saw(1013, 'target process exited'), name)
    t.match(
      await ended,
      {
        reason: 'target_down',
        value: { code: 1013, cause: 'target', reason: 'target process exited' }
      },
      name
    )
  }
  await allGone(rig)
})

t.test(
  'closes with 1000 once the join was taken, also inside the handler of the join',
  async (t) => {
    const rig = await start(t)
    const bodies: Record<string, (self: Process) => unknown> = {
      'its handler stops': (self) => self.serve({ 'ws.join': () => self.stop() }),
      'its handler waits, then stops': (self) =>
        self.serve({
          'ws.join': async () => {
            await new Promise(setImmediate)
            self.stop()
          }
        }),
      'a loop that is left': async (self) => {
        for await (const { topic } of self.inbox) if (topic === 'ws.join') break
      },
      'one receive': async (self) => {
        await self.receive({ topic: 'ws.join' })
      }
    }
    for (const [name, body] of Object.entries(bodies)) {
      const peer = await connectTo(t, rig, { target_pid: rig.processes.spawn(body) })
      t.strictSame(await peer.end(), saw(1000, 'target process exited'), name)
    }
    await allGone(rig)
  }
)

t.test('closes with 1013 after a transfer when the new target did not take the join', async t => {
  const rig = await start(t)
  const { peer, pid, target } = await joined(t, rig)
  const next = rig.processes.spawn(async (self) => { await self.receive({ topic: 'never' }) })
  rig.processes.send(pid, 'ws.control', { target_pid: next })
  await target.until('ws.leave')
  rig.processes.exit(next)
  t.strictSame(await peer.end(), saw(1013, 'target process exited'))

  const other = await joined(t, rig)
  const busy = rig.processes.spawn(async (self) => {
    await self.receive({ topic: 'ws.join' })
    await self.receive({ topic: 'ws.join' })
    await self.receive({ topic: 'never' })
  })
  for (const to of [busy, other.target.pid, busy, other.target.pid, busy]) {
    rig.processes.send(other.pid, 'ws.control', { target_pid: to })
  }
  await other.target.until('ws.leave', 3)
  rig.processes.exit(busy)
  t.strictSame(
    await other.peer.end(),
    saw(1013, 'target process exited'),
    'it took two of three joins of this client'
  )
})

t.test('an orderly end leaves linked processes running, any other ends them', async t => {
  const ends: Record<
    string,
    [end: (rig: Rig, peer: Peer, pid: Pid) => unknown, survives: boolean]
  > = {
    'client closes': [(_rig, peer) => peer.close(1000), true],
    'ws.close': [({ others }, _peer, pid) => others.send(pid, 'ws.close'), true],
    cancel: [({ others }, _peer, pid) => others.cancel(pid), true],
    'exit normal': [({ others }, _peer, pid) => others.exit(pid, 'normal'), true],
    lost: [
      (_rig, peer) => {
        peer.rst()
      },
      false
    ],
    protocol: [(_rig, peer) => peer.write(Buffer.from([0x81, 0])), false],
    exit: [({ others }, _peer, pid) => others.exit(pid, 'boom'), false],
    kill: [({ others }, _peer, pid) => others.exit(pid, 'kill'), false]
  }
  const rig = await start(t)
  for (const [name, [end, survives]] of Object.entries(ends)) {
    const { peer, pid, target } = await joined(t, rig)
    const linked = await rig.others.linked(pid)
    await end(rig, peer, pid)
    await target.until('@exit')
    // A monitor of the dead connection is answered after its exit was delivered.
    await (await rig.others.watch(pid)).exit
    if (survives) {
      await linked.exit('still there')
      t.match(await linked.exited, { reason: 'still there' }, name)
    } else t.notMatch(await linked.exited, { reason: /normal|shutdown/ }, name)
  }
})

t.test('sends one leave with the first reason when several ends come in one tick', async t => {
  const rig = await start(t)
  const ways: Record<string, [does: (pid: Pid, target: Keeper) => unknown, cause: string]> = {
    close: [(pid) => rig.processes.send(pid, 'ws.close', { code: 4000, reason: 'c' }), 'process'],
    exit: [(pid) => rig.processes.exit(pid, 'boom'), 'exit'],
    cancel: [(pid) => rig.processes.cancel(pid), 'shutdown'],
    kill: [(pid) => rig.processes.exit(pid, 'kill'), 'killed'],
    link: [(pid) => {
      const linked = rig.processes.spawn(async (self) => { await self.receive() })
      rig.relay.runtime.exitSignals.link(rig.relay.runtime.processTable.findEntity(linked)!, pid)
      rig.processes.exit(linked, 'boom')
    }, 'exit'],
    target: [(_pid, target) => rig.processes.exit(target.pid, 'boom'), 'target']
  }
  for (const [first, [does, cause]] of Object.entries(ways)) {
    // The exit of a remote target takes some time.
    if (first === 'target' && rig.neighbours !== undefined) continue
    for (const [second, [then]] of Object.entries(ways)) {
      const { peer, pid, target } = await joined(t, rig)
      const ended = rig.processes.exited(pid)
      does(pid, target)
      then(pid, target)
      t.match((await ended).value, { cause }, `${first}, then ${second}`)
      await peer.end()
      if (first !== 'target' && second !== 'target') {
        await target.until('@exit')
        t.strictSame(target.topics, ['ws.join', 'ws.leave', '@exit'])
        rig.processes.exit(target.pid)
      }
    }
  }
  await allGone(rig)
})

t.test('joins and leaves for a client that closes in its handshake', async t => {
  const rig = await start(t)
  const target = new Keeper(rig)
  const peer = await connectTo(
    t,
    rig,
    { target_pid: target.pid },
    { early: Buffer.concat([textOf('a'), closeOf(4000)]) }
  )
  await target.until('ws.leave')
  t.strictSame(target.topics.slice(0, 3), ['ws.join', 'ws.message', 'ws.leave'])
  t.strictSame(await peer.end(), saw(4000))
  await allGone(rig)
})
