// The order of messages around transfers, also of clients that are paused.
import t from 'tap'
import { frameOf, Keeper, allGone, joined, start, textOf } from '../support.js'
import { connectTo } from '../peer.js'
import { opcodes } from '../../../../lib/websocket/frames.js'
import { until } from '../../../helpers.js'
import type { Kept } from '../support.js'
import type { Pid } from '../../../../types/pid.js'

t.test('applies sends and transfers of one tick in their order', async t => {
  const rig = await start(t)
  if (rig.neighbours !== undefined) {
    t.pass('', {
      skip: 'a close does not wait for another node: remote-transfers.test.ts has that order'
    })
    return
  }
  const { peer, pid, target: a } = await joined(t, rig)
  const b = new Keeper(rig)
  rig.processes.send(pid, 'ws.send', { data: '1' })
  rig.processes.send(pid, 'ws.control', { target_pid: b.pid })
  rig.processes.send(pid, 'ws.send', { data: '2' })
  rig.processes.send(pid, 'ws.control', { target_pid: a.pid })
  rig.processes.send(pid, 'ws.control', { target_pid: b.pid })
  rig.processes.send(pid, 'ws.close', '3')
  t.strictSame(await peer.end(), { code: 1000, reason: '3' })
  t.strictSame(peer.texts, ['1', '2'])
  await b.until('ws.leave', 2)
  t.strictSame(
    a.mail
      .map(({ topic, payload }) => [topic, payload.cause])
      .filter(([topic]) => topic !== '@exit'),
    [
      ['ws.join', undefined],
      ['ws.leave', 'transfer'],
      ['ws.join', undefined],
      ['ws.leave', 'transfer']
    ]
  )
  t.strictSame(
    b.mail
      .map(({ topic, payload }) => [topic, payload.cause])
      .filter(([topic]) => topic !== '@exit'),
    [
      ['ws.join', undefined],
      ['ws.leave', 'transfer'],
      ['ws.join', undefined],
      ['ws.leave', 'process']
    ]
  )
})

t.test('handles the exit of either target in the tick of the transfer', async t => {
  const rig = await start(t)
  if (rig.neighbours !== undefined) {
    t.pass('', {
      skip: 'remote events of one tick arrive in one batch: remote-transfers.test.ts'
    })
    return
  }
  {
    const { peer, pid, target } = await joined(t, rig)
    const next = new Keeper(rig)
    rig.processes.send(pid, 'ws.control', { target_pid: next.pid })
    rig.processes.exit(target.pid, 'boom')
    peer.text('on')
    t.match(await next.until('ws.message'), [{ data: 'on' }], 'the old one, after it')
  }
  {
    const { peer, pid } = await joined(t, rig)
    const next = new Keeper(rig)
    rig.processes.send(pid, 'ws.control', { target_pid: next.pid })
    rig.processes.exit(next.pid, 'boom')
    t.strictSame(
      await peer.end(),
      { code: 1013, reason: 'target process exited' },
      'the new one, after it: it did not take the join'
    )
  }
  {
    const { peer, pid } = await joined(t, rig)
    const next = new Keeper(rig)
    rig.processes.exit(next.pid, 'boom')
    t.equal(
      rig.processes.send(pid, 'ws.control', { target_pid: next.pid }),
      false,
      'the new one, before it'
    )
    t.equal(rig.processes.send(pid, 'ws.close'), true)
    await peer.end()
  }
})

t.test('sends the waiting frames of a paused client to the new target, after its join', async t => {
  const rig = await start(t, { mailboxLimit: 20 })
  if (rig.neighbours !== undefined) {
    t.pass('', {
      skip: 'the remote mailbox says that it is full when all of them are in flight'
    })
    return
  }
  const old = new Keeper(rig)
  const { peer, pid } = await joined(t, rig, {}, old)
  old.hold()
  const count = 5000
  peer.write(...Array.from({ length: count }, (_, i) => textOf(`${i}`)))
  await until(() => rig.processes.info(pid)!.paused as boolean)
  const next = new Keeper(rig)
  await rig.processes.call(pid, 'ws.control', { target_pid: next.pid })
  await next.until('ws.message', count - 16)
  t.equal(next.topics[0], 'ws.join')
  old.release()
  await old.until('ws.leave')
  await until(() => old.texts.length + next.texts.length === count)
  const all = [...old.texts, ...next.texts].map(Number)
  t.strictSame(all, Array.from({ length: count }, (_, i) => i))
  t.equal(old.topics.at(-1), 'ws.leave')
})

t.test('keeps a client paused that moves to a target without room', async t => {
  const rig = await start(t, { mailboxLimit: 20 })
  if (rig.neighbours !== undefined) {
    t.pass('', { skip: 'it counts what lies in a mailbox of this node' })
    return
  }
  const old = new Keeper(rig)
  const { peer, pid } = await joined(t, rig, {}, old)
  old.hold()
  peer.write(...Array.from({ length: 1000 }, (_, i) => textOf(`${i}`)))
  await until(() => rig.processes.info(pid)!.paused as boolean)
  const next = new Keeper(rig, { monitors: false })
  next.hold()
  for (let i = 0; i < 3; i++) {
    while (rig.processes.send(next.pid, 'noise'));
    await new Promise(setImmediate)
  }
  await rig.processes.call(pid, 'ws.control', { target_pid: next.pid })
  t.equal(rig.processes.info(pid)!.paused, true)
  t.equal(rig.processes.info(next.pid)!.mailbox, 21, 'nothing but the join came in')
  next.release()
  old.release()
  await until(() => old.texts.length + next.texts.length === 1000)
  t.strictSame([...old.texts, ...next.texts].map(Number), Array.from({ length: 1000 }, (_, i) => i))
})

t.test(
  'delivers 10 000 messages through 100 transfers once, in order, between join and leave',
  async (t) => {
    const count = 10_000
    const moves = 100
    // A small limit, so that the client is paused again and again.
    const rig = await start(t, { mailboxLimit: 64 })
    const faults: string[] = []
    /** The numbers between a join and its leave, without a gap. */
    const stays: number[][] = []
    let pid: Pid | undefined
    let leaves = 0
    let arrived = 0
    const targets = Array.from({ length: 5 }, (_, index) => {
      let stay: number[] | undefined
      return new Keeper(rig, {
        monitors: false,
        keep: false,
        each ({ topic, payload }: Kept): unknown {
          if (topic === 'ws.join') {
            if (stay !== undefined) faults.push(`joined ${index} twice`)
            stays.push((stay = []))
            pid = payload.client_pid
          } else if (topic === 'ws.leave') {
            if (stay === undefined) faults.push(`left ${index} without a join`)
            stay = undefined
            leaves++
          } else if (stay === undefined) {
            faults.push(`${index} got ${payload.data} while it was not joined`)
          } else {
            const number = Number(payload.data)
            if (stay.length > 0 && stay.at(-1) !== number - 1) {
              faults.push(`${number} behind ${stay.at(-1)}`)
            }
            stay.push(number)
            arrived++
          }
          return undefined
        }
      })
    })
    const peer = await connectTo(t, rig, { target_pid: targets[0].pid })
    await until(() => pid !== undefined)
    let moved = 0
    for (let written = 0; written < count || moved < moves;) {
      if (written < count && written < arrived + 400) {
        peer.write(...Array.from({ length: 50 }, () => textOf(`${written++}`)))
      }
      // Half of the transfers while frames wait, and some back to back.
      for (let i = 0; i <= moved % 3 && moved < moves && arrived >= moved * 95; i++) {
        if (
          !(await rig.others.send(pid!, 'ws.control', {
            target_pid: targets[++moved % targets.length].pid
          }))
        ) {
          faults.push('not moved')
        }
      }
      await new Promise(setImmediate)
    }
    // The last transfers may still be pending. A connection that ends rejects them.
    await until(() => arrived === count && stays.length === moves + 1)
    peer.close(1000)
    await peer.end()
    await until(() => leaves === moves + 1)
    t.strictSame(faults, [])
    t.equal(stays.length, moves + 1)
    const inOrder = stays
      .filter((stay) => stay.length > 0)
      .sort(([a], [b]) => a - b)
      .flat()
    t.strictSame(
      inOrder,
      Array.from({ length: count }, (_, i) => i)
    )
    t.ok(stays.filter((stay) => stay.length > 0).length > moves / 3)
    await allGone(rig)
  }
)

t.test('handles control frames during transfers', async t => {
  const rig = await start(t)
  const { peer, pid, target } = await joined(t, rig)
  const next = new Keeper(rig)
  peer.write(frameOf(opcodes.ping, '1'))
  rig.others.send(pid, 'ws.control', { target_pid: next.pid })
  peer.write(frameOf(opcodes.ping, '2'))
  await until(() => peer.count(opcodes.pong) === 2)
  t.strictSame(peer.frames.map(({ payload }) => payload.toString()), ['1', '2'])
  t.equal(target.of('ws.message').length, 0)
})
