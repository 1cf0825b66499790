// docs/relay.md, "Pressure": messages of a client that arrive faster than the target reads them.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { Keeper, allGone, apart, away, closeOf, fill, joined, start, textOf } from './support.js'
import { connectTo } from './peer.js'
import { until } from '../../helpers.js'
import type { Kept, Rig } from './support.js'
import type { Peer } from './peer.js'
import type { Pid } from '../../../types/pid.js'
import type { WsRelayOptions } from '../../../types/relay.js'

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** Megabytes in use. */
function used (): number {
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1e6
}

/**
 * Messages that a remote node may receive before its pause arrives: a window, and one after an
 * acknowledgement.
 */
const underWay = ({ neighbours }: Rig): number => neighbours === undefined ? 0 : 2 * 4096

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)

t.test('pauses a client at 75 % of the messages of its target, resumes at 25 %', async t => {
  const rig = await start(t, { mailboxLimit: 100 })
  if (rig.neighbours !== undefined) {
    t.pass('', { skip: 'it counts what lies in a mailbox of this node' })
    return
  }
  let step = (): void => {}
  const target = new Keeper(rig, {
    monitors: false,
    each: ({ topic }: Kept) =>
      topic === 'ws.join'
        ? undefined
        : new Promise<void>((resolve) => {
          step = resolve
        })
  })
  const { peer, pid } = await joined(t, rig, {}, target)
  peer.write(...numbers(300).map(textOf))
  await until(() => rig.processes.info(pid)!.paused as boolean)
  const states: Array<[mailbox: number, paused: unknown]> = []
  while (states.length < 60) {
    const { mailbox } = rig.processes.info(target.pid)!
    states.push([mailbox, rig.processes.info(pid)!.paused])
    const taken = target.mail.length
    step()
    await until(() => target.mail.length > taken)
  }
  t.equal(Math.max(...states.map(([mailbox]) => mailbox)), 75)
  const resumed = states.findIndex(([mailbox], i) => i > 0 && mailbox > states[i - 1][0])
  t.ok(
    resumed > 0 && states[resumed - 1][0] <= 26 && states[resumed - 1][0] >= 25,
    `resumed at ${states[resumed - 1]?.[0]}`
  )
  while (target.texts.length < 300) {
    step()
    await new Promise(setImmediate)
  }
  t.strictSame(target.texts, numbers(300))
})

t.test('pauses a client at 75 % of the bytes of its target', async t => {
  const rig = await start(t, { mailboxBytes: 100_000 })
  if (rig.neighbours !== undefined) {
    t.pass('', { skip: 'it counts what lies in a mailbox of this node' })
    return
  }
  const { peer, pid, target } = await joined(t, rig)
  target.hold()
  peer.text('first')
  await target.until('ws.message')
  peer.write(...Array.from({ length: 300 }, () => textOf('x'.repeat(1000))))
  await until(() => rig.processes.info(pid)!.paused as boolean)
  t.equal(rig.processes.info(target.pid)!.mailbox, 75)
  t.equal(rig.processes.send(target.pid, 'notice'), true, 'there is still room for others')
  target.release()
  await target.until('ws.message', 301)
})

t.test('a slow target gets the flood of one client in order, in bounded memory', async (t) => {
  if (apart) {
    t.pass('', { skip: 'here nobody can hold up a target of another operating-system process' })
    return
  }
  const rig = await start(t, { mailboxLimit: 1000, mailboxBytes: 1_000_000 })
  const count = 100_000
  let next = 0
  let handled = 0
  const faults: string[] = []
  const target = new Keeper(rig, {
    monitors: false,
    keep: false,
    each ({ topic, payload }: Kept): unknown {
      if (topic !== 'ws.message') return undefined
      if (Number(payload.data.slice(0, 8)) !== next++) {
        faults.push(`${payload.data} instead of ${next - 1}`)
      }
      // Slow: it sometimes waits for an iteration of the event loop.
      return ++handled % 500 === 0 ? new Promise(setImmediate) : undefined
    }
  })
  const peer = await connectTo(t, rig, { target_pid: target.pid })
  const before = used()
  let most = 0
  let largest = 0
  let pauses = 0
  // 25 MB in all. The client shares this process, so it writes only when its socket has room.
  const padding = 'x'.repeat(240)
  for (let i = 0; i < count;) {
    const batch = Array.from({ length: 250 }, () =>
      textOf(`${String(i++).padStart(8, '0')}${padding}`)
    )
    if (!peer.socket.write(Buffer.concat(batch))) {
      await new Promise((resolve) => {
        peer.socket.once('drain', resolve)
      })
    }
    if (i % 10_000 === 0) most = Math.max(most, used() - before)
    largest = Math.max(largest, await target.mailbox())
    const { entities } = rig.relay.runtime.processTable
    if ([...entities].some((entity) => entity.describe().paused === true)) pauses++
  }
  await until(() => handled === count)
  t.strictSame(faults, [])
  t.ok(largest <= 750 + underWay(rig), `${largest} messages at the most`)
  t.ok(pauses > 10, `seen paused ${pauses} times`)
  t.ok(most < 50, `${most.toFixed(1)} MB at the most`)
  t.comment(`memory +${most.toFixed(1)} MB`)
})

t.test(
  'a slow target gets the floods of 100 clients in order, while others and HTTP go on',
  async (t) => {
    if (apart) {
      t.pass('', { skip: 'here nobody can hold up a target of another operating-system process' })
      return
    }
    const rig = await start(t, { mailboxLimit: 1000 })
    const clients = 100
    const each = 1000
    const next = new Map<Pid, number>()
    const faults: string[] = []
    let handled = 0
    let firsts = 0
    const slow = new Keeper(rig, {
      monitors: false,
      keep: false,
      each ({ topic, payload }: Kept): unknown {
        if (topic === 'ws.join') next.set(payload.client_pid, 0)
        if (topic !== 'ws.message') return undefined
        const expected = next.get(payload.client_pid)!
        if (expected === 0) firsts++
        if (payload.data !== `${expected}`) faults.push(`${payload.data} instead of ${expected}`)
        next.set(payload.client_pid, expected + 1)
        return ++handled % 200 === 0 ? new Promise(setImmediate) : undefined
      }
    })
    const other = new Keeper(rig)
    const peers = await Promise.all(
      Array.from({ length: clients }, () => connectTo(t, rig, { target_pid: slow.pid }))
    )
    const { peer: calm } = await joined(t, rig, {}, other)
    await until(() => next.size === clients)
    const before = used()
    let most = 0
    slow.hold()
    const frames = Buffer.concat(numbers(each).map(textOf))
    for (const peer of peers) peer.write(frames)
    await until(async () => (await slow.mailbox()) >= 750)
    // The others continue while this target is held.
    for (let i = 0; i < 100; i++) calm.text(`${i}`)
    await other.until('ws.message', 100)
    t.strictSame(other.texts, numbers(100))
    const response = await fetch(`http://127.0.0.1:${rig.port}/up`)
    t.equal(await response.text(), 'up')
    t.ok((await slow.mailbox()) < 750 + clients + underWay(rig), 'each may bring one message more')
    t.equal(rig.processes.send(slow.pid, 'notice'), true)
    most = used() - before
    slow.release()
    let allHeardAt = 0
    let turn = 0
    await until(() => {
      if (turn++ % 20 === 0) most = Math.max(most, used() - before)
      if (firsts === clients && allHeardAt === 0) allHeardAt = handled
      return handled === clients * each
    })
    t.strictSame(faults, [])
    t.ok(most < 50, `${most.toFixed(1)} MB at the most`)
    t.ok(allHeardAt < clients * each * 0.75, `every client was heard within ${allHeardAt} messages`)
    t.comment(`memory +${most.toFixed(1)} MB`)
  }
)

t.test('resumes waiting clients in turns', async t => {
  const rig = await start(t, { mailboxLimit: 40 })
  if (rig.neighbours !== undefined) {
    t.pass('', {
      skip: 'the remote mailbox says that it is full when all of it is in flight'
    })
    return
  }
  const order: Pid[] = []
  const target = new Keeper(rig, {
    monitors: false,
    keep: true,
    each: ({ topic, from }: Kept) => {
      if (topic === 'ws.message') order.push(from!)
    }
  })
  const peers = await Promise.all(
    Array.from({ length: 100 }, () => connectTo(t, rig, { target_pid: target.pid }))
  )
  await target.until('ws.join', 100)
  target.hold()
  const each = 200
  for (const peer of peers) peer.write(...numbers(each).map(textOf))
  await until(
    () =>
      [...rig.relay.runtime.processTable.entities]
        .filter((entity) => entity.describe().paused === true).length === 100
  )
  target.release()
  await target.until('ws.message', 100 * each)
  // Round robin: no client is served twice before all others were served.
  const turns = order.filter((pid, i) => pid !== order[i - 1])
  const firstRound = turns.slice(0, 101)
  t.ok(new Set(firstRound).size > 95, `${new Set(firstRound).size} clients in the first 101 turns`)
  const last = new Map<Pid, number>()
  let longest = 0
  turns.forEach((pid, i) => {
    longest = Math.max(longest, i - (last.get(pid) ?? 0))
    last.set(pid, i)
  })
  t.ok(longest < 250, `nobody waited for more than ${longest} turns`)
})

interface End {
  end (rig: Rig, peer: Peer, pid: Pid): unknown
  cause: string
  /** Whether bytes in the client's socket may be lost. Otherwise all messages must arrive. */
  loses?: boolean
  options?: WsRelayOptions
}

/**
 * Milliseconds. The client must answer in time until it is paused; a remote target fills up more
 * slowly.
 */
const soon = away ? 1000 : 20

const ends: Record<string, End> = {
  'a client that closes': { end: (_rig, peer) => peer.close(4000), cause: 'client' },
  // While the socket is not read, only a ping detects the loss.
  'a client that is gone': {
    end: (_rig, peer) => {
      peer.rst()
    },
    cause: 'lost',
    loses: true,
    options: { pingInterval: soon, pongTimeout: soon }
  },
  'ws.close': {
    end: ({ processes }, _peer, pid) => processes.send(pid, 'ws.close'),
    cause: 'process',
    loses: true
  },
  exit: {
    end: ({ processes }, _peer, pid) => processes.exit(pid, 'boom'),
    cause: 'exit',
    loses: true
  },
  cancel: {
    end: ({ processes }, _peer, pid) => processes.cancel(pid),
    cause: 'shutdown',
    loses: true
  },
  'a kill': {
    end: ({ processes }, _peer, pid) => processes.exit(pid, 'kill'),
    cause: 'killed',
    loses: true
  },
  'app.close': {
    end: ({ app }) => {
      app.close()
    },
    cause: 'shutdown',
    loses: true
  }
}

t.test(
  'delivers waiting messages past the limit, then the leave, when a paused client ends',
  async (t) => {
    for (const [name, { end, cause, loses, options }] of Object.entries(ends)) {
      // A target in another process reports each message to this one.
      for (const count of [200, apart ? 2000 : 100_000]) {
        await t.test(`${name}, of ${count} messages`, async (t) => {
          const rig = await start(t, { mailboxLimit: 10, closeTimeout: '20s', ...options })
          const { peer, pid, target } = await joined(t, rig)
          await fill(rig, peer, pid, target, numbers(count).map(textOf))
          const ended = rig.processes.exited(pid)
          await end(rig, peer, pid)
          if (loses === true) await ended
          target.release()
          await target.until('ws.leave')
          const last = target.topics.filter((topic) => topic !== '@cancel').slice(-2)
          t.ok(last.at(-1) === 'ws.leave' || last[0] === 'ws.leave')
          t.match(target.of('ws.leave'), [{ cause }])
          const { texts } = target
          t.strictSame(texts, numbers(texts.length), 'in order, without a gap')
          if (loses !== true || (count === 200 && cause !== 'lost')) t.equal(texts.length, count)
          else t.ok(texts.length > 10)
          const { topics } = target
          t.equal(topics.lastIndexOf('ws.message') < topics.indexOf('ws.leave'), true)
          await allGone(rig)
        })
      }
    }
  }
)

t.test('keeps the first reason when a close frame waits after messages', async t => {
  const rig = await start(t, { mailboxLimit: 10 })
  const { peer, pid, target } = await joined(t, rig)
  peer.answersClose = false
  await fill(rig, peer, pid, target, [...numbers(200).map(textOf), closeOf(4001, 'mine')])
  const ended = rig.processes.exited(pid)
  rig.processes.exit(pid, 'boom')
  t.match(await ended, { reason: 'boom', value: { cause: 'exit', code: 1011 } })
  t.strictSame(await peer.end(), { code: 1011, reason: 'closed by server' })
  target.release()
  await target.until('@exit')
  t.strictSame(target.texts, numbers(200))
  await allGone(rig)
})

t.test('uses the close frame of a client whose socket is lost', async t => {
  for (const [bytes, leave] of [
    [closeOf(4001, 'mine'), { cause: 'client', code: 4001, reason: 'mine' }],
    [Buffer.from([0x81, 0]), { cause: 'protocol', code: 1002 }]
  ] as const) {
    const rig = await start(t, { mailboxLimit: 10 })
    const { peer, pid, target } = await joined(t, rig)
    await fill(rig, peer, pid, target, [...numbers(200).map(textOf), bytes])
    peer.rst()
    // Only the write of a ping or a message detects that the client is gone.
    rig.processes.send(pid, 'ws.send', { data: 'x' })
    await rig.processes.exited(pid)
    target.release()
    await target.until('@exit')
    t.match(target.of('ws.leave'), [leave])
    t.strictSame(target.texts, numbers(200))
    await allGone(rig)
  }
})

t.test('closes a paused client whose target exits', async t => {
  const rig = await start(t, { mailboxLimit: 10 })
  const { peer, pid, target } = await joined(t, rig)
  await fill(rig, peer, pid, target, numbers(200).map(textOf))
  rig.processes.exit(target.pid, 'boom')
  t.strictSame(await peer.end(), { code: 1011, reason: 'target process exited' })
  target.release()
  await allGone(rig)
})
