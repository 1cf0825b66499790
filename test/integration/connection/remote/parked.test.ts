// Connections that park on one node, and processes of another node.
import t from 'tap'
import { Keeper, allGone, joined } from '../support.js'
import { settle } from '../../../process/helpers.js'
import { pair } from './pair.js'
import type { Test } from 'tap'

/** A connection on node `a` that parks there at a name, and a process of node `b`. */
async function parking (t: Test) {
  const nodes = await pair(t)
  const { rig, other } = nodes
  const target = new Keeper(rig, { monitors: false })
  rig.processes.names.register('room', target.pid)
  const header = { target_pid: 'room', on_target_exit: 'park', park: '5m' } as const
  const { peer, pid } = await joined(t, rig, header, target)
  const remote = new Keeper(other, { monitors: false })
  const move = (more: object): Promise<unknown> => {
    return rig.processes.call(pid, 'ws.control', { target_pid: remote.pid, ...more })
  }
  return { ...nodes, target, peer, pid, remote, move }
}

const moves = { on_target_exit: 'close' } as const

t.test('refuses to wait at a process of another node, and takes it without park', async (t) => {
  const { rig, target, peer, pid, remote, move } = await parking(t)
  rig.processes.exit(target.pid, 'boom')
  peer.text('1')
  await t.rejects(move({}), { code: 'FST_WS_RELAY_TRANSFER_REFUSED' })
  t.match(rig.processes.info(pid), { parked: true, target: target.pid })
  await move(moves)
  peer.text('2')
  await remote.until('ws.message', 2)
  t.strictSame(remote.topics, ['ws.join', 'ws.message', 'ws.message'])
  t.strictSame(remote.texts, ['1', '2'])
  t.match(rig.processes.info(pid), { parked: false, paused: false, target: remote.pid })
  peer.close()
  await allGone(rig)
})

t.test('goes to another node although its target fails while that node is asked', async (t) => {
  const { wire, rig, target, peer, pid, remote, move } = await parking(t)
  wire.hold()
  const moved = move(moves)
  rig.processes.exit(target.pid, 'boom')
  await settle()
  t.equal(rig.processes.info(pid)?.parked, true)
  wire.release()
  await moved
  t.equal(rig.processes.stats().connections?.parked, 0)
  peer.text('1')
  await remote.until('ws.message')
  t.strictSame(remote.topics, ['ws.join', 'ws.message'])
})

t.test('leaves the successor when the answer of another node comes after the rejoin', async (t) => {
  const { wire, rig, target, peer, pid, remote, move } = await parking(t)
  wire.hold()
  const moved = move(moves)
  rig.processes.exit(target.pid, 'boom')
  const successor = new Keeper(rig, { monitors: false })
  rig.processes.names.register('room', successor.pid)
  t.match(await successor.until('ws.join'), [{ client_pid: pid, rejoined: true }])
  wire.release()
  await moved
  t.match(await successor.until('ws.leave'), [{ cause: 'transfer' }])
  peer.text('1')
  await remote.until('ws.message')
  t.strictSame(remote.topics, ['ws.join', 'ws.message'])
})
