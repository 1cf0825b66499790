// The life of a binding between a connection and a target on another node.
import t from 'tap'
import { frame, receive } from '../fixtures/pair.js'
import { targetOf, watcher } from '../support.js'
import { failure } from '../../../lib/shared/result.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { tookJoin } from '../../../lib/process/exits/unread-joins.js'
import { bind, connected, make } from './bindings.js'
import type { Connected } from './bindings.js'

t.test('delivers client messages to the remote target, and reports its exit once', async (t) => {
  const { nodes, target, client, at, who } = await connected()
  t.equal(at.pid, target)
  const metadata = { user: 'ada' }
  at.accept('ws.join', { client_pid: client, metadata }, client, 0)
  at.accept('ws.message', { client_pid: client, type: 'text', data: 'hé', metadata }, client, 3)
  at.accept(
    'ws.message',
    { client_pid: client, type: 'binary', data: Buffer.from([1, 2]), metadata },
    client,
    2
  )
  nodes.deliverAll()
  t.strictSame(nodes.b.local.mail, [
    { to: target, topic: 'ws.join', payload: { client_pid: client, metadata }, from: client },
    {
      to: target,
      topic: 'ws.message',
      payload: { client_pid: client, type: 'text', data: 'hé', metadata, bytes: 3 },
      from: client
    },
    {
      to: target,
      topic: 'ws.message',
      payload: {
        client_pid: client,
        type: 'binary',
        data: Buffer.from([1, 2]),
        metadata,
        bytes: 2
      },
      from: client
    }
  ])
  nodes.b.local.end(target, 'done')
  nodes.deliverAll()
  nodes.resetChannel()
  t.strictSame(who.exits, [{ pid: target, reason: 'done' }])
  t.ok(at.refusesMail)
  t.equal(nodes.size, 0)
})

t.test('reports whether the target took the join before it ended', async (t) => {
  const join = async (arrives: boolean): Promise<Connected> => {
    const one = await connected()
    one.at.accept('ws.join', { client_pid: one.client, metadata: 1 }, one.client, 0)
    if (arrives) one.nodes.deliverAll()
    return one
  }
  const table: Record<
    string,
    [took: boolean, play: () => Promise<Connected & { reason?: string }>]
  > = {
    'the target has taken it': [true, async () => await join(true)],
    'it waits in the mailbox': [
      false,
      async () => {
        const one = await join(true)
        one.nodes.b.local.unread.add(one.client)
        return one
      }
    ],
    'it waits in the mailbox of one that ends with noconnection': [
      false,
      async () => {
        const one = await join(true)
        one.nodes.b.local.unread.add(one.client)
        return { ...one, reason: 'noconnection' }
      }
    ],
    'it is on its way': [false, async () => await join(false)],
    'the target is stopping when it arrives': [
      false,
      async () => {
        const one = await join(false)
        one.nodes.b.local.problem = 'it is stopping'
        one.nodes.deliverAll()
        return one
      }
    ]
  }
  for (const [name, [took, play]] of Object.entries(table)) {
    const { nodes, target, client, who, reason = 'done' } = await play()
    nodes.b.local.end(target, reason)
    nodes.deliverAll()
    t.equal(who.exits.length, 1, name)
    t.equal(tookJoin(who.exits[0], client), took, name)
    t.equal(nodes.size, 0, name)
  }
})

t.test('answers a failed bind with its problem, and keeps nothing', async (t) => {
  const bound = make()
  for (const problem of ['it is stopping', 'it is a connection', 'its node is closing'] as const) {
    bound.nodes.b.local.problem = problem
    t.strictSame(await bind(bound, bound.target), failure(problem))
  }
  bound.nodes.b.local.problem = undefined
  t.strictSame(await bind(bound, bound.nodes.b.node.pid(99)), failure('it is not alive'))
  const { a } = bound.nodes
  const answer = a.unit.bind(bound.target, watcher())
  receive(a, frame({ type: frameTypes.bound, ref: a.peer.sent[0].ref, text: 'a problem of a later version' })
  )
  t.strictSame(await answer, failure('it is not alive'))
  a.peer.sent.length = 0
  bound.nodes.disconnect()
  t.strictSame(await bind(bound, bound.target), failure('its node cannot be reached'))
  a.node.exitReason = 'noproc'
  const restarted = await bind(bound, bound.target)
  t.strictSame(restarted, failure('it is not alive'), 'its node has been restarted')
  t.equal(bound.nodes.size, 0)
})

t.test(
  'answers a bind with the exit of the target or the loss of its node when that is first',
  async (t) => {
    const { nodes, target } = make()
    const who = watcher()
    const lost = nodes.a.unit.bind(target, who)
    nodes.resetChannel()
    t.strictSame(await lost, failure('its node cannot be reached'))
    const ended = nodes.a.unit.bind(target, who)
    const [{ ref }] = nodes.a.peer.sent.splice(0)
    t.equal(
      receive(nodes.a, frame({ type: frameTypes.down, ref, text: 'done' })),
      true
    )
    t.strictSame(await ended, failure('it is not alive'))
    t.strictSame(who.exits, [], 'the watcher gets no exit as well')
    t.equal(nodes.size, 0)
  }
)

t.test('reports the loss of the target\'s node once', async (t) => {
  const { nodes, target, at, who } = await connected()
  nodes.resetChannel()
  nodes.resetChannel()
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
  t.ok(at.refusesMail)
  t.strictSame(nodes.b.local.watched, [])
  t.equal(nodes.size, 0)
})

t.test('delivers ws.leave for each joined client when its node is lost', async (t) => {
  const { nodes, target, client, at } = await connected()
  const metadata = { user: 'ada' }
  at.accept('ws.join', { client_pid: client, metadata }, client, 0)
  nodes.deliverAll()
  nodes.resetChannel()
  const leave = {
    client_pid: client,
    reason: 'node lost',
    code: undefined,
    cause: 'lost',
    metadata
  }
  t.strictSame(nodes.b.local.mail.slice(1), [
    { to: target, topic: 'ws.leave', payload: leave, from: client }
  ])
  const other = await connected()
  other.at.accept('ws.join', { client_pid: client, metadata }, client, 0)
  other.at.accept('ws.leave', { client_pid: client, metadata }, client, 0)
  other.nodes.deliverAll()
  other.nodes.resetChannel()
  t.strictSame(other.nodes.b.local.mail.map(({ topic }) => topic), ['ws.join', 'ws.leave'])
  const away = await connected()
  away.at.accept('ws.join', { client_pid: client, metadata }, client, 0)
  away.at.accept('ws.suspend', { client_pid: client, metadata, cause: 'lost' }, client, 0)
  away.nodes.deliverAll()
  away.nodes.resetChannel()
  t.strictSame(
    away.nodes.b.local.mail.map(({ topic }) => topic), ['ws.join', 'ws.suspend', 'ws.leave'])
  const never = await connected()
  never.nodes.resetChannel()
  t.strictSame(never.nodes.b.local.mail, [])
})

t.test('announces the close to targets and peers before any process ends', async (t) => {
  const { nodes, target, client, at, who } = await connected()
  const metadata = { user: 'ada' }
  at.accept('ws.join', { client_pid: client, metadata }, client, 0)
  nodes.deliverAll()
  const late = nodes.a.unit.bind(nodes.b.local.spawn(), watcher())
  nodes.b.unit.announceClosing([nodes.b.peer])
  const leave = {
    client_pid: client,
    reason: 'node closing',
    code: 1012,
    cause: 'target',
    metadata
  }
  t.strictSame(nodes.b.local.mail.slice(1), [
    { to: target, topic: 'ws.leave', payload: leave, from: client }
  ])
  t.strictSame(nodes.b.local.watched, [], 'the end of the target is not reported as well')
  at.accept('ws.message', { client_pid: client, type: 'text', data: 'late', metadata }, client, 4)
  nodes.b.local.problem = 'its node is closing'
  nodes.deliverAll()
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection', nodeClosing: true }])
  t.ok(at.refusesMail)
  t.strictSame(await late, failure('its node is closing'), 'who asks meanwhile')
  t.strictSame(
    await nodes.a.unit.bind(target, watcher()),
    failure('its node is closing'),
    'who asks later: at once'
  )
  t.equal(nodes.a.peer.sent.length, 0)
  nodes.resetChannel()
  t.equal(nodes.b.local.mail.length, 2, 'one leave for each join, and nothing after it')
  t.equal(who.exits.length, 1)
  t.equal(nodes.size, 0)
})

t.test('reports nothing after unbind, and the remote node removes the binding', async (t) => {
  const { nodes, target, client, at, who } = await connected()
  nodes.b.local.full = true
  at.accept('ws.message', { client_pid: client, type: 'text', data: 'x', metadata: 1 }, client, 1)
  nodes.deliverAll()
  t.equal(nodes.b.local.waiting.size, 1)
  t.ok(nodes.a.unit.unbind(target, who))
  t.notOk(nodes.a.unit.unbind(target, who))
  t.ok(at.refusesMail)
  at.accept(
    'ws.message',
    { client_pid: client, type: 'text', data: 'late', metadata: 1 },
    client,
    4
  )
  nodes.deliverAll()
  t.equal(nodes.b.local.mail.length, 1)
  t.equal(nodes.b.local.waiting.size, 0, 'its mailbox has no producer to resume')
  t.strictSame(nodes.b.local.watched, [])
  nodes.b.local.end(target, 'done')
  nodes.resetChannel()
  t.strictSame(who.exits, [])
  t.equal(nodes.size, 0)
})

t.test('answers a pending bind on unbind, and creates no binding', async (t) => {
  const { nodes, target } = make()
  const who = watcher()
  const answer = nodes.a.unit.bind(target, who)
  t.ok(nodes.a.unit.unbind(target, who))
  t.strictSame(await answer, failure('it is not alive'))
  nodes.deliverAll()
  t.equal(nodes.size, 0)
  t.strictSame(nodes.b.local.watched, [])
})

t.test('creates one binding when a connection binds twice', async (t) => {
  const bound = make()
  const who = watcher()
  const first = bound.nodes.a.unit.bind(bound.target, who)
  const second = await bind(bound, bound.target, who)
  t.strictSame(await first, failure('it is not alive'))
  t.ok(second.ok)
  t.strictSame(bound.nodes.b.local.watched, [bound.target])
  bound.nodes.b.local.end(bound.target, 'done')
  bound.nodes.deliverAll()
  t.equal(who.exits.length, 1)
})

t.test('notifies the other connections and targets when one of them throws', async (t) => {
  const bound = await connected()
  const thrown = new Error('no')
  const last = watcher()
  await bind(bound, bound.target, {
    exits: [],
    targetEnded () {
      throw thrown
    }
  })
  const at = targetOf(await bind(bound, bound.target, last))
  at.accept('ws.join', { client_pid: bound.client, metadata: 1 }, bound.client, 0)
  bound.nodes.deliverAll()
  bound.nodes.b.local.accept = () => {
    throw thrown
  }
  bound.nodes.resetChannel()
  t.strictSame(
    [bound.who, last].map(({ exits }) => exits.length),
    [1, 1]
  )
  t.strictSame(bound.nodes.a.node.failures, [thrown])
  t.strictSame(bound.nodes.b.node.failures, [thrown])
})

t.test('does not notify a connection that is unbound during the notification', async (t) => {
  const bound = make()
  const { nodes, target } = bound
  const second = watcher()
  await bind(bound, target, { exits: [], targetEnded () { nodes.a.unit.unbind(target, second) } })
  await bind(bound, target, second)
  nodes.resetChannel()
  t.strictSame(second.exits, [])
  t.strictSame(nodes.a.node.failures, [])
  nodes.resetChannel()
  t.equal(nodes.size, 0)
})
