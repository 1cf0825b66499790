// A connection leaves nothing behind when it has ended.
import { readdirSync } from 'node:fs'
import t from 'tap'
import { Keeper, allGone, nothing, remains, start } from './support.js'
import { connectTo } from './peer.js'
import { until } from '../../helpers.js'
import type { Peer } from './peer.js'
import type { Rig } from './support.js'
import type { Pid } from '../../../types/pid.js'

/** The number of open file descriptors, where the system provides it. */
function descriptors (): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length
  } catch {
    return undefined
  }
}

const ends: Array<(rig: Rig, peer: Peer, pid: Pid) => unknown> = [
  (_rig, peer) => peer.close(1000),
  (_rig, peer) => { peer.rst() },
  (_rig, peer) => { peer.fin() },
  (_rig, peer) => peer.write(Buffer.from([0x81, 0])),
  ({ processes }, _peer, pid) => processes.send(pid, 'ws.close'),
  ({ processes }, _peer, pid) => processes.exit(pid, 'boom'),
  ({ processes }, _peer, pid) => processes.cancel(pid),
  ({ processes }, _peer, pid) => processes.exit(pid, 'kill')
]

t.test(
  'leaves no PID, timer, name, group entry, listener or descriptor of 10 000 connections',
  async (t) => {
    const total = 10_000
    const batch = 500
    const rig = await start(t, { maxHandshakes: batch })
    const target = new Keeper(rig, { monitors: false, keep: false })
    const pids: Pid[] = []
    const other = new Keeper(rig, {
      monitors: false,
      keep: false,
      each ({ topic, payload }) {
        if (topic === 'ws.join') pids.push(payload.client_pid)
      }
    })
    const { runtime } = rig.relay
    const before = {
      relations: runtime.relations.size,
      descriptors: descriptors(),
      listeners: rig.app.server.listenerCount('upgrade')
    }
    const quiet = { teardown () {} } as never
    for (let opened = 0; opened < total; opened += batch) {
      pids.length = 0
      const config = { target_pid: other.pid, heartbeat_interval: '1h', metadata: { opened } }
      const peers = await Promise.all(
        Array.from({ length: batch }, () => connectTo(quiet, rig, config))
      )
      await until(() => pids.length === batch)
      const linked = rig.processes.spawn(async (self) => {
        self.trapLinks = true
        for (const pid of pids) {
          self.link(pid)
          self.monitor(pid)
        }
        await self.receive({ topic: 'end' })
      })
      pids.forEach((pid, i) => {
        rig.processes.names.register(`client-${i}`, pid)
        rig.processes.groups.join(`group-${i % 7}`, pid)
        rig.processes.groups.watch('group-1', pid)
        rig.processes.send(pid, 'ws.control', {
          target_pid: i % 2 === 0 ? target.pid : other.pid,
          heartbeat_interval: '2h'
        })
        rig.processes.send(pid, 'ws.send', { data: `${i}` })
      })
      await until(() => peers.every(({ frames }) => frames.length === 1))
      // It does not matter which PID belongs to which client: each connection ends in one way or
      // two.
      peers.forEach((peer, i) => ends[i % ends.length](rig, peer, pids[i]))
      for (const [i, peer] of peers.entries()) {
        if (!peer.gone) ends[i % 4](rig, peer, pids[i])
      }
      await until(() => peers.every(({ gone }) => gone))
      await allGone(rig)
      rig.processes.exit(linked)
    }
    t.strictSame(remains(rig), nothing)
    t.strictSame(
      rig.processes.list().sort(),
      rig.neighbours === undefined ? [target.pid, other.pid].sort() : []
    )
    t.equal(runtime.relations.size, before.relations)
    t.equal(rig.app.server.listenerCount('upgrade'), before.listeners)
    await until(() => (descriptors() ?? 0) <= (before.descriptors ?? 0))
    t.pass('no file descriptor more than before')
    if (rig.neighbours === undefined) {
      t.equal(rig.processes.stats().spawned, total + 2 + total / batch)
    }
  }
)

t.test('keeps no reference to the objects of an ended connection', async t => {
  const { setFlagsFromString } = await import('node:v8')
  const { runInNewContext } = await import('node:vm')
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  const rig = await start(t)
  const target = new Keeper(rig, { monitors: false, keep: false })
  const refs: Array<WeakRef<object>> = []
  rig.app.server.on('connection', (socket) => { refs.push(new WeakRef(socket)) })
  const peers: Peer[] = []
  for (let i = 0; i < 20; i++) {
    peers.push(await connectTo(t, rig, { target_pid: target.pid, heartbeat_interval: 1000 }))
  }
  for (const entity of rig.relay.runtime.processTable.entities) {
    if (entity.kind === 'ws') refs.push(new WeakRef(entity))
  }
  t.equal(refs.length, 40)
  for (const peer of peers) peer.text('x').close()
  await allGone(rig)
  await until(() => {
    gc()
    return refs.filter((ref) => ref.deref() !== undefined).length <= 2
  })
  t.pass('none but, at the most, the last one, which the HTTP server still knows')
})
