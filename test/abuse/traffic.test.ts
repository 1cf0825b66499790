// Clients that cost others: who never read, who are dead, and who are tied to many.
import t from 'tap'
import { Keeper, allGone, connectTo, joined, start } from '../integration/connection/support.js'
import { until } from '../helpers.js'
import { clientsOf, held, letsGo, used } from './support.js'
import type { Kept, Peer } from '../integration/connection/support.js'
import type { Pid } from '../../types/pid.js'

t.test('a client that never reads in a busy room', async (t) => {
  const clients = 10
  const each = 150
  for (const overflow of ['close', 'drop'] as const) {
    await t.test(`overflow: ${overflow}`, async (t) => {
      // 24 MB for each client, of which the kernel keeps some for the one that does not read.
      const maxBufferedAmount = 1_000_000
      const rig = await start(t, { overflow, maxBufferedAmount })
      const { groups } = rig.processes
      const before = held(rig)
      const leaves: any[] = []
      const joins: Pid[] = []
      const room = new Keeper(rig, {
        monitors: false,
        keep: false,
        each ({ topic, payload }: Kept): void {
          if (topic === 'ws.join') joins.push(payload.client_pid)
          if (topic === 'ws.leave') leaves.push(payload)
          if (topic === 'ws.join') groups.join('room', payload.client_pid)
          if (topic === 'ws.message') groups.broadcast('room', 'ws.send', { data: payload.data })
        }
      })
      const deaf = await connectTo(t, rig, { target_pid: room.pid }, { reads: false })
      await until(() => joins.length === 1)
      const [deafPid] = joins
      const peers = await Promise.all(Array.from({ length: clients }, () => connectTo(t, rig, { target_pid: room.pid })))
      await until(() => joins.length === clients + 1)
      const memory = await used()
      let most = 0
      const padding = 'x'.repeat(16_000)
      for (let round = 0; round < each; round++) {
        peers.forEach((peer, i) => { peer.text(`${i}:${round} ${padding}`) })
        await until(() => peers.every((peer) => peer.frames.length >= clients))
        most = Math.max(most, rig.processes.info(deafPid)?.buffered as number ?? 0)
        const heard = peers.map((peer) => peer.frames.splice(0).map(({ payload }) => payload.toString('latin1', 0, 20).split(' ')[0]))
        if (heard.some((words) => words.join() !== heard[0].join())) t.fail(`round ${round}: not all have heard the same`)
        if (new Set(heard[0]).size !== clients) t.fail(`round ${round}: something is missing or doubled`)
      }
      t.ok(most <= maxBufferedAmount + 16_100, `at the most ${most} bytes waited`)
      const grown = await used() - memory
      t.ok(grown < 20, `${grown.toFixed(1)} MB more`)
      if (overflow === 'close') {
        t.match(leaves, [{ client_pid: deafPid, cause: 'slow', code: 1013 }], 'it was told, and nobody else')
      } else {
        t.strictSame(leaves, [])
        t.ok(rig.processes.info(deafPid)!.dropped as number > 0, `${rig.processes.info(deafPid)!.dropped as number} frames were dropped`)
      }
      deaf.rst()
      for (const peer of peers) peer.close(1000)
      await allGone(rig)
      rig.processes.exit(room.pid)
      await letsGo(rig, before)
    })
  }
})

t.test('50 clients whose process was stopped', async (t) => {
  const rig = await start(t, { pingInterval: 100, pongTimeout: 2000 })
  const target = new Keeper(rig, { monitors: false })
  const { peer, target: neighbour } = await joined(t, rig)
  const before = held(rig)
  const { child } = await clientsOf(t, `ws://127.0.0.1:${rig.port}/?relay=${target.pid}`, 50)
  await target.until('ws.join', 50)
  child.kill('SIGSTOP')
  // The kernel goes on to take what is sent to them: only their pongs are missing.
  for (const { client_pid: pid } of target.of('ws.join')) rig.processes.send(pid, 'ws.send', { data: 'x' })
  await target.until('ws.leave', 50)
  t.ok(target.of('ws.leave').every(({ cause, code }) => cause === 'ping_timeout' && code === undefined))
  peer.text('alive')
  await neighbour.until('ws.message')
  t.strictSame(neighbour.of('ws.leave'), [])
  // The server has let go of them before they are gone.
  await until(() => rig.relay.sockets.size === 1)
  child.kill('SIGKILL')
  await letsGo(rig, { ...before, descriptors: before.descriptors + 2, activeTimers: Infinity })
})

t.test('1 000 watchers of one client', async (t) => {
  const count = 1000
  const rig = await start(t)
  for (const [end, reason] of [
    [(peer: Peer) => { peer.rst() }, 'connection_lost'],
    [(peer: Peer) => { peer.close(1000) }, 'normal'],
    [(_peer: Peer, pid: Pid) => rig.processes.exit(pid, 'kill'), 'killed']
  ] as Array<[(peer: Peer, pid: Pid) => unknown, string]>) {
    const { peer, pid, target } = await joined(t, rig)
    const before = held(rig)
    const told: string[] = []
    let more = 0
    let watching = 0
    const watchers = Array.from({ length: count }, () => rig.processes.spawn(async (self) => {
      self.monitor(pid)
      watching++
      told.push((await self.receive({ topic: '@exit' }) as { payload: { reason: string } }).payload.reason)
      if (await self.receive({ topic: '@exit', timeout: 0 }) !== undefined) more++
      await self.receive({ topic: 'end' })
    }))
    await until(() => watching === count)
    // And as many from outside of any process, half of which give up.
    const gaveUp = new AbortController()
    const outside = Array.from({ length: count }, (_, i) => rig.processes.exited(pid, { signal: i % 2 === 0 ? gaveUp.signal : undefined }).then((exit) => exit.reason, () => 'gave up'))
    gaveUp.abort()
    t.equal(rig.processes.info(pid)!.monitors.length, 1, 'it monitors its target, and nobody else')
    end(peer, pid)
    await until(() => told.length === count)
    for (const watcher of watchers) rig.processes.send(watcher, 'end')
    await Promise.all(watchers.map((watcher) => rig.processes.exited(watcher)))
    t.strictSame([...new Set(told)], [reason])
    t.equal(more, 0, 'each was told once')
    const outcomes = await Promise.all(outside)
    t.equal(outcomes.filter((outcome) => outcome === reason).length, count / 2)
    t.equal(outcomes.filter((outcome) => outcome === 'gave up').length, count / 2)
    t.equal((await target.until('ws.leave')).length, 1)
    peer.socket.destroy()
    await letsGo(rig, before)
  }
})

t.test('a ring of 100 clients and 100 processes, each linked to the next', async (t) => {
  const count = 100
  const rig = await start(t)
  const target = new Keeper(rig, { monitors: false })
  const before = held(rig)
  for (const [name, end, survive] of [
    ['one client is lost', (peer: Peer) => { peer.rst() }, false],
    ['one client breaks the protocol', (peer: Peer) => { peer.write(Buffer.from([0x81, 0])) }, false],
    ['one process fails', (_peer: Peer, process: Pid) => { rig.processes.send(process, 'fail') }, false],
    ['one client closes', (peer: Peer) => { peer.close(1000) }, true]
  ] as Array<[string, (peer: Peer, process: Pid) => unknown, boolean]>) {
    target.mail.length = 0
    const peers: Peer[] = []
    for (let i = 0; i < 2; i++) peers.push(...await Promise.all(Array.from({ length: count / 2 }, () => connectTo(t, rig, { target_pid: target.pid }))))
    const pids = (await target.until('ws.join', count)).map(({ client_pid }) => client_pid as Pid)
    let linked = 0
    const processes = pids.map((pid, i) => rig.processes.spawn(async (self) => {
      self.link(pid)
      self.link(pids[(i + 1) % count])
      linked++
      await self.receive({ topic: 'fail' })
      throw new Error('secret')
    }))
    await until(() => linked === count)
    end(peers[7], processes[7])
    if (survive) {
      await target.until('ws.leave')
      t.equal(rig.processes.list().length, 2 * count, `${name}: nobody else ends`)
      for (const pid of pids) rig.processes.cancel(pid)
    }
    await target.until('ws.leave', count)
    const causes = target.of('ws.leave').map(({ cause }) => cause)
    if (!survive) t.equal(causes.filter((cause) => cause === 'exit').length >= count - 1, true, `${name}: all end, once each`)
    t.equal(target.of('ws.leave').length, count)
    for (const pid of processes) rig.processes.exit(pid, 'normal')
    const ends = await Promise.all(peers.map((peer) => peer.end()))
    if (!survive) t.ok(ends.filter(({ code, reason }) => code === 1011 && reason === 'closed by server').length >= count - 1, `${name}: and no client is told why`)
    for (const { socket } of peers) socket.destroy()
    await letsGo(rig, before)
  }
})
