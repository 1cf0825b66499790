// Clients with limits whose target is a process of another node.
import t from 'tap'
import { Keeper, allGone, joined } from '../../integration/connection/support.js'
import { pair } from '../../integration/connection/remote/pair.js'

t.test('tells a target of another node before the end, which renews it', async (t) => {
  const { rig, other } = await pair(t)
  const { peer, pid, target } = await joined(
    t, rig, { metadata: { a: 1 }, expires_in: 200, expiry_notice: 100 }, new Keeper(other)
  )
  const [expiring] = await target.until('ws.expiring')
  t.match(expiring, { client_pid: pid, expires_at: Number, metadata: { a: 1 } })
  other.processes.send(pid, 'ws.control', { expires_in: '1h' })
  await other.processes.call(pid, 'ws.control', { expires_at: 1e11 })
  t.strictSame(await peer.end(), { code: 1008, reason: 'session expired' })
  t.match(await target.until('ws.leave'), [{ cause: 'expired', code: 1008 }])
  await allGone(rig)
})

t.test('expires while a transfer waits for another node, which is refused then', async (t) => {
  const { wire, rig, other } = await pair(t)
  const { peer, pid, target } = await joined(t, rig, {})
  const remote = new Keeper(other)
  t.ok(rig.processes.send(pid, 'ws.control', { expires_in: 100 }))
  wire.hold()
  const moved = rig.processes.call(pid, 'ws.control', { target_pid: remote.pid })
  await t.rejects(moved, { code: 'FST_WS_RELAY_TRANSFER_REFUSED' })
  wire.release()
  t.strictSame(await peer.end(), { code: 1008, reason: 'session expired' })
  t.match(await target.until('ws.leave'), [{ cause: 'expired' }])
  t.strictSame(remote.topics, [])
  await allGone(rig)
})

t.test('reads on at a target of another node when the limit allows it', async (t) => {
  const { rig, other } = await pair(t)
  const { peer, target } = await joined(
    t, rig, { limit: { messages: '100/s', burst: 0.1 } }, new Keeper(other)
  )
  for (let i = 0; i < 30; i++) peer.text(String(i))
  await target.until('ws.message', 30)
  t.strictSame(target.texts, Array.from({ length: 30 }, (_, i) => String(i)))
  peer.close()
  await allGone(rig)
})
