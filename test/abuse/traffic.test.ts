// Clients that could harm others: they never read, are dead, or have many links and monitors.
import t from 'tap'
import { Keeper, allGone, joined, start } from '../integration/connection/support.js'
import { connectTo } from '../integration/connection/peer.js'
import { until } from '../helpers.js'
import { clientsOf, held, letsGo, used } from './support.js'
import type { Kept, Rig } from '../integration/connection/support.js'
import type { Peer } from '../integration/connection/peer.js'
import type { Pid } from '../../types/pid.js'

t.test('limits the cost of a client that never reads in a busy room', async (t) => {
  const clients = 5
  for (const overflow of ['close', 'drop'] as const) {
    await t.test(`overflow: ${overflow}`, async (t) => {
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
      const peers = await Promise.all(
        Array.from({ length: clients }, () => connectTo(t, rig, { target_pid: room.pid }))
      )
      await until(() => joins.length === clients + 1)
      const memory = await used()
      let most = 0
      const padding = 'x'.repeat(60_000)
      const dropped = (): number => rig.processes.info(deafPid)?.dropped as number | undefined ?? 0
      // The kernel buffers some megabytes for a client that does not read. Ten more rounds after
      // that.
      const isFull = (): boolean => leaves.length > 0 || dropped() > 0
      let round = 0
      for (let more = 10; more > 0 && round < 500; round++) {
        if (isFull()) more--
        peers.forEach((peer, i) => { peer.text(`${i}:${round} ${padding}`) })
        await until(() => peers.every((peer) => peer.frames.length >= clients))
        most = Math.max(most, rig.processes.info(deafPid)?.buffered as number ?? 0)
        const heard = peers.map((peer) =>
          peer.frames
            .splice(0)
            .map(({ payload }) => payload.toString('latin1', 0, 20).split(' ')[0])
        )
        if (heard.some((words) => words.join() !== heard[0].join())) {
          t.fail(`round ${round}: not all have heard the same`)
        }
        if (new Set(heard[0]).size !== clients) {
          t.fail(`round ${round}: something is missing or doubled`)
        }
      }
      t.ok(most <= maxBufferedAmount + 60_100, `at most ${most} bytes were buffered`)
      t.comment(`${round} rounds`)
      const grown = await used() - memory
      t.ok(grown < 20, `${grown.toFixed(1)} MB more`)
      if (overflow === 'close') {
        t.match(
          leaves,
          [{ client_pid: deafPid, cause: 'slow', code: 1013 }],
          'it was told, and nobody else'
        )
      } else {
        t.strictSame(leaves, [])
        t.ok(rig.processes.alive(deafPid), 'the connection of the slow client is still open')
        t.ok(dropped() > 0, `${dropped()} frames were dropped`)
      }
      deaf.rst()
      for (const peer of peers) peer.close(1000)
      await allGone(rig)
      rig.processes.exit(room.pid)
      await letsGo(rig, before)
    })
  }
})

t.test('ends 50 clients whose process was stopped', async (t) => {
  const rig = await start(t, { pingInterval: 100, pongTimeout: 2000 })
  const target = new Keeper(rig, { monitors: false })
  const { peer, target: neighbour } = await joined(t, rig)
  const before = held(rig)
  const { child } = await clientsOf(t, `ws://127.0.0.1:${rig.port}/?relay=${target.pid}`, 50)
  await target.until('ws.join', 50)
  child.kill('SIGSTOP')
  // Their kernel still accepts bytes: only their pongs are missing.
  for (const { client_pid: pid } of target.of('ws.join')) {
    rig.processes.send(pid, 'ws.send', { data: 'x' })
  }
  await target.until('ws.leave', 50)
  t.ok(
    target.of('ws.leave').every(({ cause, code }) => cause === 'ping_timeout' && code === undefined)
  )
  peer.text('alive')
  await neighbour.until('ws.message')
  t.strictSame(neighbour.of('ws.leave'), [])
  // The server has released them before they have gone.
  await until(() => rig.relay.connections.size === 1)
  child.kill('SIGKILL')
  await letsGo(rig, { ...before, descriptors: before.descriptors + 2, activeTimers: Infinity })
})

t.test('notifies 1 000 watchers of one client once', async (t) => {
  const count = 1000
  const rig = await start(t)
  for (const [end, reason] of [
    [(peer: Peer) => { peer.rst() }, 'connection_lost'],
    [(peer: Peer) => { peer.close(1000) }, 'normal'],
    [(_peer: Peer, pid: Pid) => rig.processes.exit(pid, 'kill'), 'killed']
  ] as Array<[(peer: Peer, pid: Pid) => unknown, string]>) {
    const { peer, pid, target } = await joined(t, rig)
    const before = held(rig)
    const results: string[] = []
    let more = 0
    let watching = 0
    const watchers = Array.from({ length: count }, () => rig.processes.spawn(async (self) => {
      self.monitor(pid)
      watching++
      results.push(
        ((await self.receive({ topic: '@exit' })) as { payload: { reason: string } }).payload.reason
      )
      if (await self.receive({ topic: '@exit', timeout: 0 }) !== undefined) more++
      await self.receive({ topic: 'end' })
    }))
    await until(() => watching === count)
    // And as many outside of any process; half of them stop watching.
    const gaveUp = new AbortController()
    const outside = Array.from({ length: count }, (_, i) =>
      rig.processes.exited(pid, { signal: i % 2 === 0 ? gaveUp.signal : undefined }).then(
        (exit) => exit.reason,
        () => 'gave up'
      )
    )
    gaveUp.abort()
    t.equal(rig.processes.info(pid)!.monitors.length, 1, 'it monitors only its target')
    end(peer, pid)
    await until(() => results.length === count)
    for (const watcher of watchers) rig.processes.send(watcher, 'end')
    await Promise.all(watchers.map((watcher) => rig.processes.exited(watcher)))
    t.strictSame([...new Set(results)], [reason])
    t.equal(more, 0, 'each watcher was notified once')
    const outcomes = await Promise.all(outside)
    t.equal(outcomes.filter((outcome) => outcome === reason).length, count / 2)
    t.equal(outcomes.filter((outcome) => outcome === 'gave up').length, count / 2)
    t.equal((await target.until('ws.leave')).length, 1)
    peer.socket.destroy()
    await letsGo(rig, before)
  }
})

t.test('ends or keeps a ring of 100 linked clients and 100 processes', async (t) => {
  const count = 100
  const rig = await start(t)
  const target = new Keeper(rig, { monitors: false })
  const before = held(rig)
  for (const [name, end, survive] of [
    [
      'one client is lost',
      (peer: Peer) => {
        peer.rst()
      },
      false
    ],
    [
      'one client breaks the protocol',
      (peer: Peer) => {
        peer.write(Buffer.from([0x81, 0]))
      },
      false
    ],
    [
      'one process fails',
      (_peer: Peer, process: Pid) => {
        rig.processes.send(process, 'fail')
      },
      false
    ],
    [
      'one client closes',
      (peer: Peer) => {
        peer.close(1000)
      },
      true
    ]
  ] as Array<[string, (peer: Peer, process: Pid) => unknown, boolean]>) {
    target.mail.length = 0
    const peers: Peer[] = []
    for (let i = 0; i < 2; i++) {
      peers.push(
        ...(await Promise.all(
          Array.from({ length: count / 2 }, () => connectTo(t, rig, { target_pid: target.pid }))
        ))
      )
    }
    const pids = (await target.until('ws.join', count)).map(({ client_pid }) => client_pid as Pid)
    let linked = 0
    const processes = pids.map((pid, i) =>
      rig.processes.spawn(async (self) => {
        self.link(pid)
        self.link(pids[(i + 1) % count])
        linked++
        await self.receive({ topic: 'fail' })
        throw new Error('secret')
      })
    )
    await until(() => linked === count)
    end(peers[7], processes[7])
    if (survive) {
      await target.until('ws.leave')
      t.equal(rig.processes.list().length, 2 * count, `${name}: no other process ends`)
      for (const pid of pids) rig.processes.cancel(pid)
    }
    await target.until('ws.leave', count)
    const causes = target.of('ws.leave').map(({ cause }) => cause)
    if (!survive) {
      t.equal(
        causes.filter((cause) => cause === 'exit').length >= count - 1,
        true,
        `${name}: each ends once`
      )
    }
    t.equal(target.of('ws.leave').length, count)
    for (const pid of processes) rig.processes.exit(pid, 'normal')
    const ends = await Promise.all(peers.map((peer) => peer.end()))
    if (!survive) {
      t.ok(
        ends.filter(({ code, reason }) => code === 1011 && reason === 'closed by server').length >=
          count - 1,
        `${name}: clients do not see the exit reason`
      )
    }
    for (const { socket } of peers) socket.destroy()
    await letsGo(rig, before)
  }
})

/** Actions of a client in the turn in which the server ends its connection too. */
const clientEnds: Record<string, (peer: Peer) => unknown> = {
  closes: (peer) => peer.close(4000),
  'sends, and closes': (peer) => peer.text('last').close(4000),
  resets: (peer) => { peer.rst() },
  ends: (peer) => { peer.fin() },
  'breaks the protocol': (peer) => peer.write(Buffer.from([0x81, 0]))
}

const serverEnds: Record<string, (rig: Rig, pid: Pid, target: Keeper) => unknown> = {
  'ws.close': ({ processes }, pid) => processes.send(pid, 'ws.close', { code: 4001 }),
  exit: ({ processes }, pid) => processes.exit(pid, 'boom'),
  cancel: ({ processes }, pid) => processes.cancel(pid),
  kill: ({ processes }, pid) => processes.exit(pid, 'kill'),
  'a frame, and ws.close': ({ processes }, pid) =>
    processes.send(pid, 'ws.send', { data: 'x' }) && processes.send(pid, 'ws.close'),
  'a transfer to its own target': ({ processes }, pid, target) =>
    processes.send(pid, 'ws.control', { target_pid: target.pid, heartbeat_interval: 100 }),
  'a transfer': (rig, pid) =>
    rig.processes.send(pid, 'ws.control', { target_pid: new Keeper(rig).pid }),
  'exit of the target': ({ processes }, _pid, target) => processes.exit(target.pid, 'boom')
}

t.test('ends a connection once when both sides end it in one turn of the event loop', async (t) => {
  const rig = await start(t, { closeTimeout: 1000 })
  const before = held(rig)
  for (const [clientDoes, ofClient] of Object.entries(clientEnds)) {
    for (const [serverDoes, ofServer] of Object.entries(serverEnds)) {
      for (const clientFirst of [true, false]) {
        const what = clientFirst
          ? `the client ${clientDoes}, and ${serverDoes}`
          : `${serverDoes}, and the client ${clientDoes}`
        const { peer, pid, target } = await joined(t, rig)
        const exits: string[] = []
        const watcher = rig.processes.spawn((self) => {
          self.monitor(pid)
          return self.serve({ '@exit': ({ reason }) => { exits.push(reason) } })
        })
        const ended = rig.processes.exited(pid)
        // The watcher has its monitor before anything ends.
        await until(() => rig.processes.info(watcher)!.monitors.length === 1)
        const all = rig.processes.list()
        if (clientFirst) ofClient(peer)
        ofServer(rig, pid, target)
        if (!clientFirst) ofClient(peer)
        const { reason } = await ended
        await peer.end()
        await until(() => exits.length > 0 && rig.processes.info(watcher)!.mailbox === 0)
        t.strictSame(exits, [reason], `${what}: one @exit`)
        if (rig.processes.alive(target.pid)) {
          await target.until('ws.leave')
          t.equal(target.of('ws.leave').length, 1, `${what}: one leave`)
        }
        peer.socket.destroy()
        await allGone(rig)
        for (const one of [...all, ...rig.processes.list()]) rig.processes.exit(one)
        await letsGo(rig, before)
      }
    }
  }
})
