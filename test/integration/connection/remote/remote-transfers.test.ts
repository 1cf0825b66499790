// docs/relay.md, "Targets on other nodes": transfers, which ask the new target first.
import t from 'tap'
import { Keeper, allGone, closeOf, joined, mailOfTransfer, textOf } from '../support.js'
import { logs, until } from '../../../helpers.js'
import { settle } from '../../../process/helpers.js'
import { pair } from './pair.js'
import type { Kept } from '../support.js'

t.test(
  'asks a remote target before a transfer, and sends frames to the old one meanwhile',
  async (t) => {
    const { wire, rig, other } = await pair(t)
    const { peer, pid, target: old } = await joined(t, rig, { metadata: { old: true } })
    const next = new Keeper(other, { monitors: false })
    wire.hold()
    const moved = rig.processes.call(pid, 'ws.control', {
      target_pid: next.pid,
      message_topic: 'chat',
      metadata: { new: true }
    })
    peer.text('1')
    await old.until('ws.message')
    t.equal(rig.processes.info(pid)!.target, old.pid)
    wire.release()
    t.equal(await moved, undefined)
    peer.text('2')
    await next.until('chat')
    t.strictSame({ old: old.mail.slice(1), next: next.mail }, mailOfTransfer(pid))
    rig.processes.exit(old.pid, 'boom')
    await rig.processes.call(pid, 'ws.control', { target_pid: next.pid, metadata: null })
    t.equal(next.of('ws.join').length, 1, 'naming the current target moves nothing')
    const back = new Keeper(rig)
    await rig.processes.call(pid, 'ws.control', { target_pid: back.pid })
    t.match(await next.until('ws.leave'), [{ cause: 'transfer', metadata: {} }])
    other.processes.exit(next.pid, 'boom')
    await settle()
    peer.text('3')
    await back.until('chat')
    peer.close()
    await allGone(rig)
    t.equal(wire.sideOf(pid)?.size, 0)
  }
)

t.test('changes nothing when a transfer to another node is refused', async t => {
  const { logger, lines } = logs('warn')
  const { wire, rig, other } = await pair(t, {}, { logger } as never)
  const { peer, pid, target } = await joined(t, rig, { metadata: { a: 1 } })
  const refused = { code: 'FST_WS_RELAY_TRANSFER_REFUSED' }
  for (const [to, problem] of [
    ['9@b.abc', /not alive/],
    ['9@nowhere.abc', /cannot be reached/]
  ] as const) {
    await t.rejects(
      rig.processes.call(pid, 'ws.control', { target_pid: to, metadata: { b: 2 } }),
      refused
    )
    t.ok(lines.some(({ err }) => problem.test(err?.message)))
  }
  const dying = new Keeper(other)
  wire.hold()
  const moved = rig.processes.call(pid, 'ws.control', { target_pid: dying.pid })
  other.processes.exit(dying.pid)
  wire.release()
  await t.rejects(moved, refused)
  peer.text('still here')
  t.match(await target.until('ws.message'), [{ data: 'still here', metadata: { a: 1 } }])
  t.equal(target.of('ws.leave').length, 0)
})

t.test('applies ws.control messages in order, also after one that asks another node', async t => {
  const { wire, rig, other } = await pair(t)
  const { peer, pid, target: a } = await joined(t, rig)
  const b = new Keeper(other)
  const c = new Keeper(rig)
  wire.hold()
  const order: number[] = []
  const controls = [
    { target_pid: b.pid },
    { message_topic: 'chat' },
    { target_pid: '9@nowhere.abc' },
    { target_pid: c.pid },
    { target_pid: b.pid, message_topic: 'last' }
  ].map((control, i) =>
    rig.processes.call(pid, 'ws.control', control).then(
      () => {
        order.push(i)
      },
      () => {
        order.push(-i)
      }
    )
  )
  await settle()
  t.strictSame(order, [])
  wire.release()
  await Promise.all(controls)
  t.strictSame(order, [0, 1, -2, 3, 4])
  peer.text('x')
  await b.until('last')
  const history = (keeper: Keeper): string[] => keeper.topics.filter((topic) => topic !== '@exit')
  t.strictSame(history(a), ['ws.join', 'ws.leave'])
  t.strictSame(history(c), ['ws.join', 'ws.leave'])
  t.strictSame(history(b), ['ws.join', 'ws.leave', 'ws.join', 'last'])
})

t.test('limits the number of waiting ws.control messages', async t => {
  const { wire, rig, other } = await pair(t)
  const { pid } = await joined(t, rig)
  const next = new Keeper(other)
  wire.hold()
  const taken = Array.from({ length: 65 }, () =>
    rig.processes.send(pid, 'ws.control', { target_pid: next.pid })
  )
  t.strictSame(taken.indexOf(false), 64)
  wire.release()
  await next.until('ws.join')
  await until(() => rig.processes.send(pid, 'ws.control', {}))
})

t.test('rejects a pending transfer when the connection ends', async t => {
  const { wire, rig, other } = await pair(t)
  const { peer, pid, target } = await joined(t, rig)
  const next = new Keeper(other)
  const relations = other.runtime.relations.size
  wire.hold()
  const moved = rig.processes.call(pid, 'ws.control', { target_pid: next.pid })
  const behind = rig.processes.call(pid, 'ws.control', { message_topic: 'chat' })
  const refused = Promise.all(
    [moved, behind].map((call) => t.rejects(call, { code: 'FST_WS_RELAY_TRANSFER_REFUSED' }))
  )
  peer.write(closeOf(1000))
  t.match(await target.until('ws.leave'), [{ cause: 'client' }])
  await refused
  wire.release()
  await until(() => wire.sideOf(pid)?.size === 0 && other.runtime.relations.size === relations)
  await settle()
  t.strictSame(next.topics, [])
  await allGone(rig)
})

t.test(
  'sends the waiting frames of a paused client to the new remote target, after its join',
  async (t) => {
    const { rig, other } = await pair(t, { mailboxLimit: 20 })
    const old = new Keeper(rig)
    const { peer, pid } = await joined(t, rig, {}, old)
    old.hold()
    const count = 3000
    peer.write(...Array.from({ length: count }, (_, i) => textOf(`${i}`)))
    await until(() => rig.processes.info(pid)!.paused as boolean)
    const next = new Keeper(other)
    await rig.processes.call(pid, 'ws.control', { target_pid: next.pid })
    await next.until('ws.message')
    t.equal(next.topics[0], 'ws.join')
    old.release()
    await old.until('ws.leave')
    const later = await next.until('ws.message', count - old.texts.length)
    t.strictSame(
      [...old.texts, ...later.map(({ data }: Kept['payload']) => data)].map(Number),
      Array.from({ length: count }, (_, i) => i)
    )
  }
)
