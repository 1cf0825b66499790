// docs/relay.md, "Targets on other nodes": messages, backpressure and ends.
import t from 'tap'
import { Keeper, allGone, joined, textOf } from '../support.js'
import { connectTo } from '../peer.js'
import { until } from '../../../helpers.js'
import { held, settle } from '../../../process/helpers.js'
import { pair } from './pair.js'
import type { Pid } from '../../../../types/pid.js'

t.test('a remote target gets the same messages as a local one', async t => {
  const { rig, other } = await pair(t)
  const { peer, pid, target } = await joined(
    t,
    rig,
    { metadata: { a: 1 }, heartbeat_interval: 100 },
    new Keeper(other)
  )
  peer.text('hello').write(textOf('again'))
  await target.until('ws.message', 2)
  await target.until('ws.heartbeat')
  other.processes.send(pid, 'ws.send', { data: Uint8Array.of(1, 2) })
  await until(() => peer.frames.length > 0)
  t.equal(peer.frames[0].payload.toString('hex'), '0102')
  peer.close(4001, 'bye')
  const [leave] = await target.until('ws.leave')
  const mail = target.mail.filter(({ topic }) => topic !== 'ws.heartbeat' && topic !== '@exit')
  const metadata = { a: 1 }
  t.strictSame(mail, [
    { topic: 'ws.join', payload: { client_pid: pid, metadata }, from: pid },
    {
      topic: 'ws.message',
      payload: { client_pid: pid, type: 'text', data: 'hello', metadata },
      from: pid
    },
    {
      topic: 'ws.message',
      payload: { client_pid: pid, type: 'text', data: 'again', metadata },
      from: pid
    },
    { topic: 'ws.leave', payload: leave, from: pid }
  ])
  t.match(leave, { cause: 'client', code: 4001, reason: 'bye' })
  await until(() => target.topics.includes('@exit'))
  await allGone(rig)
  t.equal(other.runtime.relations.size, 1, 'but for the test that waits for its end')
})

t.test('the exit of a remote target closes the connection like that of a local one', async t => {
  const { rig, other } = await pair(t)
  for (const [reason, code] of [['shutdown', 1000], ['boom', 1011]] as const) {
    const { peer, pid, target } = await joined(t, rig, {}, new Keeper(other))
    const exited = rig.processes.exited(pid)
    other.processes.exit(target.pid, reason)
    t.strictSame(await peer.end(), { code, reason: 'target process exited' })
    t.match(await exited, { value: { cause: 'target', code } })
  }
  await allGone(rig)
})

t.test('closes with 1013 when a remote target ends before it took the join', async t => {
  const { wire, rig, other } = await pair(t)
  const ends: Array<(target: Pid) => void> = [
    // The join waits in the mailbox of the target.
    (target) => other.processes.exit(target),
    // The join is in flight: the wire was held as soon as the client had its 101.
    (target) => { other.processes.exit(target, 'boom'); wire.release() },
    (target) => { other.processes.cancel(target); wire.release() }
  ]
  for (const [i, end] of ends.entries()) {
    const target = other.processes.spawn(async (self) => {
      await self.receive({ topic: 'never' }).catch(() => {})
      await settle()
    })
    const opened = connectTo(t, rig, { target_pid: target })
    if (i > 0) {
      await until(() => rig.processes.list().some((pid) => rig.processes.info(pid)?.kind === 'ws'))
      wire.hold()
    }
    const peer = await opened
    if (i === 0) await until(() => other.processes.info(target)!.mailbox === 1)
    end(target)
    t.strictSame(await peer.end(), { code: 1013, reason: 'target process exited' }, String(i))
  }
  await allGone(rig)
})

t.test('closes with 1012 when the node of the target is lost', async t => {
  const { wire, rig, other } = await pair(t)
  const { peer, pid } = await joined(t, rig, {}, new Keeper(other))
  const here = await joined(t, rig)
  const exited = rig.processes.exited(pid)
  wire.lose('b')
  t.strictSame(await peer.end(), { code: 1012, reason: 'target node lost' })
  t.match(await exited, {
    reason: 'target_down',
    value: { cause: 'target', code: 1012, reason: 'target node lost' }
  })
  rig.processes.exit(here.target.pid, 'noconnection')
  t.strictSame(
    await here.peer.end(),
    { code: 1011, reason: 'target process exited' },
    'a process here that ends with this reason is no lost node'
  )
  await allGone(rig)
})

t.test('pauses the socket while the remote target has no room, and loses nothing', async t => {
  const { rig, other } = await pair(t, {}, {}, 20)
  const target = new Keeper(other)
  const { peer, pid } = await joined(t, rig, {}, target)
  target.hold()
  let count = 0
  await until(() => {
    if (count < 5000) peer.text(`${count++}`)
    return rig.processes.info(pid)!.paused as boolean
  })
  const taken = rig.processes.info(pid)!.messages
  peer.write(...Array.from({ length: 1000 }, () => textOf(`${count++}`)))
  await settle()
  t.equal(rig.processes.info(pid)!.messages, taken, 'it is not read')
  target.release()
  await target.until('ws.message', count)
  t.strictSame(target.texts, Array.from({ length: count }, (_, i) => String(i)))
  await until(() => rig.processes.info(pid)!.paused === false)
})

t.test('leaves nothing on either node', async t => {
  const { wire, rig, other } = await pair(t)
  const { peer, target } = await joined(t, rig, {}, new Keeper(other))
  peer.rst()
  await target.until('ws.leave')
  await allGone(rig)
  other.processes.exit(target.pid)
  await target.exited
  await settle()
  t.strictSame(held(other.runtime), { alive: 0, relations: 0, names: 0, groups: 0 })
  t.equal(wire.sideOf('1@a.x')?.size, 0)
})
