import t from 'tap'
import { frame, Pair, receive } from '../fixtures/pair.js'
import { targetOf, watcher } from '../support.js'
import { failure } from '../../../lib/shared/result.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { MissedMessages } from '../../../lib/cluster/link/missed-messages.js'
import { NumberList } from '../../../lib/cluster/link/number-list.js'
import { encodePayload } from '../../../lib/cluster/values/payload.js'
import { serialOf } from '../../../lib/cluster/context.js'
import { Router } from '../../../lib/cluster/remote/router.js'
import type { Side } from '../fixtures/pair.js'
import type { Caller } from '../../../lib/cluster/remote/remote-calls.js'
import type { Pid } from '../../../types/pid.js'

interface Scene {
  nodes: Pair<Router>
  a: Side<Router>
  b: Side<Router>
  /** A process of `a`, and one of `b`. */
  one: Pid
  two: Pid
}

function make (): Scene {
  const nodes = new Pair((hub) => {
    const router = new Router(hub, hub)
    hub.local.remoteNodes = router
    return router
  })
  const { a, b } = nodes
  return { nodes, a, b, one: a.local.spawn(), two: b.local.spawn() }
}

function caller (): Caller & { events: unknown[][] } {
  const events: unknown[][] = []
  return {
    events,
    reply (value) { events.push(['reply', value]) },
    fail (error) { events.push(['fail', error]) },
    reject (error) { events.push(['reject', error]) },
    targetEnded ({ reason }) { events.push(['ended', reason]) }
  }
}

t.test('a message is sent with its sender, or without one', async (t) => {
  const { nodes, a, b, one, two } = make()
  t.ok(a.unit.send(two, 'topic', { n: 1 }, one))
  t.ok(a.unit.send(two, 'topic', undefined, undefined))
  nodes.deliverAll()
  t.strictSame(b.local.mail, [
    { to: two, topic: 'topic', payload: { n: 1 }, from: one },
    { to: two, topic: 'topic', payload: undefined, from: undefined }
  ])
})

t.test('does not send a payload that cannot be encoded, and rejects a call with it', async (t) => {
  const { a, one, two } = make()
  const call = caller()
  t.notOk(a.unit.send(two, 'topic', () => {}, one))
  t.notOk(a.unit.send(two, 'topic', () => {}, one, call))
  t.match(call.events, [
    ['reject', { code: 'FST_PROCESS_REFUSED', message: /a function at 'payload'/ }]
  ])
  t.strictSame(
    a.node.logged,
    Array(2).fill({ topic: 'topic', to: two, type: 'a function', path: 'payload' })
  )
  t.equal(a.peer.sent.length, 0)
})

t.test(
  'refuses messages when the channel is full, and takes calls, ws.close, ws.control and signals',
  async (t) => {
    const { a, one, two } = make()
    a.peer.refuses = (fields, urgency) => urgency === 'message'
    t.notOk(a.unit.send(two, 'topic', 1, one))
    t.ok(a.unit.send(two, 'topic', 1, one, caller()))
    t.ok(a.unit.send(two, 'ws.close', 'bye', one))
    t.ok(a.unit.send(two, 'ws.control', { metadata: {} }, one))
    a.peer.refuses = (fields, urgency) => urgency !== 'system'
    t.notOk(a.unit.send(two, 'topic', 1, one, caller()), 'the reserve is full as well')
    t.notOk(a.unit.send(two, 'ws.close', 'bye', one))
    t.ok(a.unit.exit(two, 'boom'))
    t.ok(a.unit.cancel(two, 'please', one))
    a.unit.monitor(two, watcher())
    a.unit.link(one, two)
    t.strictSame(
      a.peer.sent.map(({ type }) => type),
      [
        frameTypes.call,
        frameTypes.send,
        frameTypes.send,
        frameTypes.exit,
        frameTypes.cancel,
        frameTypes.monitor,
        frameTypes.link
      ]
    )
  }
)

t.test('sends nothing to an unreachable node, and reports noconnection', async (t) => {
  const { nodes, a, one, two } = make()
  nodes.disconnect()
  const [call, who] = [caller(), watcher()]
  t.notOk(a.unit.send(two, 'topic', 1, one))
  t.notOk(a.unit.send(two, 'topic', 1, one, call))
  t.strictSame(a.node.unreached, [two, two])
  t.notOk(a.unit.exit(two, 'boom'))
  t.notOk(a.unit.cancel(two, 'please', one))
  a.unit.monitor(two, who)
  a.unit.monitor(two, call)
  t.match(who.exits, [{ reason: 'noconnection' }])
  t.strictSame(call.events, [['ended', 'noconnection']])
  t.strictSame(await a.unit.bind(two, watcher()), failure('its node cannot be reached'))
  t.equal(nodes.size, 0)
})

t.test('delivers exit and cancel to their process with the reason', async (t) => {
  const { nodes, a, b, one, two } = make()
  const done: unknown[][] = []
  b.local.exit = (...args) => { done.push(['exit', ...args]); return true }
  b.local.cancel = (...args: unknown[]) => { done.push(['cancel', ...args]); return true }
  a.unit.exit(two, 'boom', one)
  a.unit.exit(two, 'nobody asks')
  a.unit.cancel(two, 'please', one)
  a.unit.cancel(two, 'nobody asks', undefined)
  nodes.deliverAll()
  t.strictSame(done, [
    ['exit', two, 'boom', one],
    ['exit', two, 'nobody asks', undefined],
    ['cancel', two, 'please', one],
    ['cancel', two, 'nobody asks', undefined]
  ])
})

t.test('a call needs no monitor frame, and one frame abandons it', async (t) => {
  const { nodes, a, b, one, two } = make()
  const call = caller()
  t.ok(a.unit.send(two, 'topic', 1, one, call))
  a.unit.monitor(two, call)
  t.equal(a.peer.sent.length, 1)
  nodes.deliverAll()
  a.unit.demonitor(two, call)
  nodes.deliverAll()
  t.strictSame(call.events, [])
  t.strictSame(b.local.watched, [])
  t.equal(nodes.size, 0)
})

/** A monitor, a link and a binding from the first node to the second. */
async function related ({ nodes, a, one, two }: ReturnType<typeof make>) {
  const [who, bound] = [watcher(), watcher()]
  a.unit.monitor(two, who)
  a.local.processes.get(one)!.links.add(two)
  a.unit.link(one, two)
  const answer = a.unit.bind(two, bound)
  nodes.deliverAll()
  t.match(await answer, { ok: true, value: { pid: two } })
  return { who, bound }
}

t.test('reports an exit once to a monitor, a link and a binding', async (t) => {
  const pair = make()
  const { nodes, a, b, one, two } = pair
  const { who, bound } = await related(pair)
  t.equal(a.unit.size > 0 && b.unit.size > 0, true)
  b.local.end(two, 'boom')
  nodes.deliverAll()
  for (const { exits } of [who, bound]) t.match(exits, [{ pid: two, reason: 'boom' }])
  t.match(a.local.ends, [{ pid: one, exit: { reason: 'boom' } }])
  nodes.resetChannel()
  t.strictSame(
    [who, bound].map(({ exits }) => exits.length),
    [1, 1]
  )
  t.equal(a.local.ends.length, 1)
  t.equal(nodes.size, 0)
})

t.test(
  'ends a monitor, a link, a call and a binding with noconnection when the channel resets',
  async (t) => {
    const pair = make()
    const { nodes, a, one, two } = pair
    const { who, bound } = await related(pair)
    const call = caller()
    a.unit.send(two, 'topic', 1, one, call)
    nodes.deliverAll()
    nodes.resetChannel()
    for (const { exits } of [who, bound]) t.match(exits, [{ reason: 'noconnection' }])
    t.strictSame(call.events, [['ended', 'noconnection']])
    t.match(a.local.ends, [{ exit: { reason: 'noconnection' } }])
    t.equal(nodes.size, 0)
  }
)

t.test('removes a monitor, a link and a binding on both nodes', async (t) => {
  const pair = make()
  const { nodes, a, b, one, two } = pair
  const { who, bound } = await related(pair)
  a.unit.demonitor(two, who)
  a.unit.demonitor(two, bound)
  a.local.processes.get(one)!.links.delete(two)
  a.unit.unlink(one, two)
  nodes.deliverAll()
  t.strictSame(b.local.watched, [])
  b.local.end(two, 'boom')
  nodes.deliverAll()
  for (const { exits } of [who, bound]) t.strictSame(exits, [])
  t.strictSame(a.local.ends, [])
  t.equal(nodes.size, 0)
})

t.test('removes the binding on the remote node when it cannot continue', async (t) => {
  const { nodes, a, b, one, two } = make()
  const answer = a.unit.bind(two, watcher())
  nodes.deliverAll()
  const target = targetOf(await answer)
  target.accept('ws.join', { client_pid: one, metadata: () => {} }, one, 0)
  nodes.deliverAll()
  t.strictSame(b.local.watched, [])
  t.equal(nodes.size, 0)
})

t.test(
  'delivers a message for many to each receiver, and reuses the list of receivers',
  async (t) => {
    const { a, b, one } = make()
    const pids = [b.local.spawn(), b.local.spawn()]
    const list = new NumberList()
    for (const pid of pids) list.append(serialOf(pid))
    const payload = encodePayload({ n: 1 })!
    const fields = {
      type: frameTypes.sendMany,
      from: serialOf(one),
      text: 'topic',
      kind: payload.kind
    }
    const body = Buffer.concat([list.bytes, payload.body])
    t.equal(
      receive(b, frame({ ...fields, body: payload.body })),
      false,
      'there was none before'
    )
    t.ok(receive(b, frame({ ...fields, ref: list.length, body })))
    t.ok(receive(b, frame({ ...fields, body: payload.body })))
    t.strictSame(
      b.local.mail,
      [...pids, ...pids].map((to) => ({ to, topic: 'topic', payload: { n: 1 }, from: one }))
    )
    const missed: unknown[] = []
    b.local.missed = (...args) => {
      missed.push(args)
    }
    t.equal(receive(b, frame({ ...fields, kind: 9, body: payload.body })), false)
    t.strictSame(
      missed,
      pids.map((pid) => [pid, 1]),
      'what cannot be decoded is missed'
    )
    t.equal(receive(b, frame({ ...fields, ref: 1, body: Buffer.from([0x80]) })), false)
    t.ok(receive(b, frame({ ...fields, ref: list.length, body })))
    b.unit.channelReset(b.peer)
    t.equal(receive(b, frame({ ...fields, body: payload.body })), false)
    t.equal(a.peer.sent.length, 0)
  }
)

t.test('reports to each receiver how many messages it missed, or to all', async (t) => {
  const { b, two } = make()
  const events: unknown[] = []
  b.local.missed = (...args) => { events.push(args) }
  b.local.missedByAll = () => { events.push('all') }
  const misses = new MissedMessages()
  misses.addReceiver(serialOf(two), 3)
  for (const { fields } of misses.takeNotices()) t.ok(receive(b, frame(fields)))
  t.ok(receive(b, frame({ type: frameTypes.missed })))
  t.strictSame(events, [[two, 3], 'all'])
  t.equal(
    receive(b, frame({ type: frameTypes.missed, ref: 1, body: Buffer.from([0]) })),
    false
  )
})

t.test('lets the channel join a ws.send with an equal one, but no call', async (t) => {
  const { a, one, two } = make()
  const joined: unknown[] = []
  a.peer.joinMessage = (...args: unknown[]) => { joined.push(args); return true }
  t.ok(a.unit.send(two, 'ws.send', { data: 'news' }, one))
  t.ok(
    a.unit.send(two, 'ws.send', { data: 'news' }, one, caller()),
    'a call has a frame of its own'
  )
  t.ok(a.unit.send(two, 'topic', { data: 'news' }, one))
  t.strictSame(joined, [[serialOf(two), serialOf(one), { data: 'news' }]])
  t.strictSame(a.peer.sent.map(({ type }) => type), [frameTypes.call, frameTypes.send])
})

t.test('rejects a message whose payload cannot be read, and its receiver misses it', async (t) => {
  const { b } = make()
  const missed: unknown[] = []
  b.local.missed = (...args) => {
    missed.push(args)
  }
  t.equal(receive(b, frame({ type: frameTypes.send, to: 1, text: 'topic', kind: 9 })), false)
  t.strictSame(missed, [[b.node.pid(1), 1]])
  t.strictSame(b.local.mail, [])
})
