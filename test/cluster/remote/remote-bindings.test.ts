import t from 'tap'
import { frame, Pair } from '../fixtures/pair.js'
import { targetOf, watcher } from '../support.js'
import { failure } from '../../../lib/shared/result.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { encodePayload, payloadKinds } from '../../../lib/cluster/values/payload.js'
import { RemoteBindings } from '../../../lib/cluster/remote/remote-bindings.js'
import { tookJoin } from '../../../lib/process/unread-joins.js'
import type { BindResult, RemoteNodes } from '../../../lib/process/remote-nodes.js'
import type { Target } from '../../../lib/process/entity.js'
import type { FrameFields } from '../../../lib/cluster/link/codec.js'
import type { Pid } from '../../../types/pid.js'

interface Bound {
  nodes: Pair<RemoteBindings>
  /** A process of `b`. */
  target: Pid
  /** A connection of `a`. */
  client: Pid
}

function make (): Bound {
  const nodes = new Pair((hub) => {
    const bindings: RemoteBindings = new RemoteBindings(hub, {
      unwatch: (target: Pid, who: never) => {
        bindings.unbind(target, who)
      }
    } as unknown as RemoteNodes)
    return bindings
  })
  return { nodes, target: nodes.b.local.spawn(), client: nodes.a.local.spawn() }
}

/** Binds from `a`. Delivers all frames in flight before it awaits the answer. */
async function bind (
  { nodes }: Bound,
  target: Pid,
  who = watcher()
): Promise<BindResult> {
  const answer = nodes.a.unit.bind(target, who)
  nodes.deliverAll()
  return await answer
}

interface Connected extends Bound {
  at: Target
  who: ReturnType<typeof watcher>
}

async function connected (): Promise<Connected> {
  const bound = make()
  const who = watcher()
  return { ...bound, who, at: targetOf(await bind(bound, bound.target, who)) }
}

/** A frame of a client, as its node encodes it. */
function from (
  client: number,
  fields: Partial<FrameFields>,
  payload: unknown
): ReturnType<typeof frame> {
  return frame({
    type: frameTypes.clientEvent,
    ref: 1,
    from: client,
    text: 'topic',
    ...encodePayload(payload),
    ...fields
  })
}

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
  t.ok(at.stopping)
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
  a.unit.receive(
    a.peer,
    frame({ type: frameTypes.bound, ref: a.peer.sent[0].ref, text: 'a problem of a later version' })
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
      nodes.a.unit.receive(nodes.a.peer, frame({ type: frameTypes.down, ref, text: 'done' })),
      true
    )
    t.strictSame(await ended, failure('it is not alive'))
    t.strictSame(who.exits, [], 'the watcher is not told as well')
    t.equal(nodes.size, 0)
  }
)

t.test('reports the loss of the target\'s node once', async (t) => {
  const { nodes, target, at, who } = await connected()
  nodes.resetChannel()
  nodes.resetChannel()
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
  t.ok(at.stopping)
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
  t.strictSame(nodes.b.local.watched, [], 'the end of the target is not told as well')
  at.accept('ws.message', { client_pid: client, type: 'text', data: 'late', metadata }, client, 4)
  nodes.b.local.problem = 'its node is closing'
  nodes.deliverAll()
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection', nodeClosing: true }])
  t.ok(at.stopping)
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
  t.ok(at.stopping)
  at.accept(
    'ws.message',
    { client_pid: client, type: 'text', data: 'late', metadata: 1 },
    client,
    4
  )
  nodes.deliverAll()
  t.equal(nodes.b.local.mail.length, 1)
  t.equal(nodes.b.local.waiting.size, 0, 'nor does its mailbox have to tell of room')
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

t.test('shares one frozen metadata object among all messages of a client', async (t) => {
  const { nodes, client, at } = await connected()
  const metadata = { user: { name: 'ada' }, tags: ['x'], key: Buffer.from('k'), none: null }
  for (const data of ['one', 'two']) {
    at.accept('ws.message', { client_pid: client, type: 'text', data, metadata }, client, 3)
  }
  nodes.deliverAll()
  const [first, second] = nodes.b.local.mail.map(
    ({ payload }) => (payload as { metadata: typeof metadata }).metadata
  )
  t.strictSame(first, metadata)
  t.equal(first, second)
  t.ok(Object.isFrozen(first) && Object.isFrozen(first.user) && Object.isFrozen(first.tags))
  at.accept(
    'ws.message',
    { client_pid: client, type: 'text', data: 'three', metadata: 'text' },
    client,
    5
  )
  nodes.deliverAll()
  t.match(nodes.b.local.mail.at(-1), { payload: { metadata: 'text' } })
})

t.test('pauses producers while the remote mailbox is congested', async (t) => {
  const { nodes, target, client, at } = await connected()
  let resumed = 0
  nodes.b.local.full = true
  for (let i = 0; i < 3; i++) {
    at.accept(
      'ws.message',
      { client_pid: client, type: 'text', data: 'x', metadata: 1 },
      client,
      1
    )
  }
  t.notOk(at.congested)
  nodes.deliverTo(nodes.b)
  t.strictSame(
    nodes.b.peer.sent.map(({ type }) => type),
    [frameTypes.pause],
    'said once'
  )
  nodes.deliverAll()
  t.ok(at.congested)
  at.subscribeToDrain({
    resume () {
      resumed++
    }
  })
  t.strictSame([...nodes.b.local.waiting.values()], [target])
  nodes.b.local.relieve()
  nodes.deliverAll()
  t.equal(resumed, 1)
  t.notOk(at.congested)
  nodes.b.local.full = true
  at.accept('ws.message', { client_pid: client, type: 'text', data: 'x', metadata: 1 }, client, 1)
  nodes.deliverAll()
  t.ok(at.congested, 'and again')
})

t.test('ignores pause and resume frames for a binding that is gone or pending', async (t) => {
  const { nodes, target, who } = await connected()
  nodes.a.unit.unbind(target, who)
  for (const type of [frameTypes.pause, frameTypes.resume, frameTypes.bound]) {
    t.equal(nodes.a.unit.receive(nodes.a.peer, frame({ type, ref: 1 })), true)
  }
  const asked = make()
  asked.nodes.a.unit.bind(asked.target, watcher()).catch(t.threw)
  for (const type of [frameTypes.pause, frameTypes.resume]) {
    t.equal(
      asked.nodes.a.unit.receive(asked.nodes.a.peer, frame({ type, ref: 1 })),
      true,
      'nor of one that has no answer yet'
    )
  }
})

t.test('drops heartbeats for a full mailbox, and pauses no producer', async (t) => {
  const { nodes, target, client, at } = await connected()
  const news = { client_pid: client, uptime: 1, metadata: 1 }
  t.ok(at.deliver('ws.heartbeat', news, client))
  nodes.deliverAll()
  t.strictSame(nodes.b.local.mail, [
    { to: target, topic: 'ws.heartbeat', payload: news, from: client }
  ])
  nodes.b.local.full = true
  t.ok(at.deliver('ws.heartbeat', news, client))
  nodes.deliverAll()
  t.equal(nodes.b.local.mail.length, 1)
  t.notOk(at.congested)
})

t.test('drops messages for a target that has ended', async (t) => {
  const { nodes, target, client, at } = await connected()
  nodes.b.local.end(target, 'done')
  at.accept(
    'ws.message',
    { client_pid: client, type: 'text', data: 'late', metadata: 1 },
    client,
    4
  )
  nodes.deliverAll()
  t.strictSame(nodes.b.local.mail, [])
})

t.test('takes client_pid and metadata from the binding, not from the frame', async (t) => {
  const { nodes, client } = await connected()
  const forged = from(1, {}, { client_pid: '1@b.1', metadata: 'forged', uptime: 1 })
  t.equal(nodes.b.unit.receive(nodes.b.peer, forged), true)
  t.strictSame(
    nodes.b.local.mail.map(({ payload }) => payload),
    [{ client_pid: client, uptime: 1, metadata: undefined }]
  )
})

t.test('rejects client frames with a payload of a wrong type as malformed', async (t) => {
  const { nodes } = await connected()
  const garbage = [
    from(1, { kind: 9 }, undefined),
    from(1, {}, undefined),
    from(1, {}, 'text'),
    from(1, {}, 5),
    from(1, {}, null),
    from(1, {}, Buffer.from('bytes')),
    from(1, {}, [1]),
    from(1, { type: frameTypes.clientNews }, 'text'),
    from(1, { type: frameTypes.clientMessage }, { data: 'structured' }),
    from(1, { type: frameTypes.clientMessage }, undefined),
    from(
      1,
      { type: frameTypes.metadata, kind: payloadKinds.structured, body: Buffer.from([0xc1]) },
      undefined
    )
  ]
  for (const [i, one] of garbage.entries()) {
    t.equal(nodes.b.unit.receive(nodes.b.peer, one), false, String(i))
  }
  t.strictSame(nodes.b.local.mail, [])
})

t.test('treats a malformed exit frame as an exit with noconnection', async (t) => {
  const { nodes, target, who } = await connected()
  t.equal(
    nodes.a.unit.receive(
      nodes.a.peer,
      frame({ type: frameTypes.down, ref: 1, text: 'done', kind: 9 })
    ),
    false
  )
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
  t.equal(nodes.a.unit.size, 0)
})

t.test('reports error when a target itself exits with noconnection', async (t) => {
  const { nodes, target, who } = await connected()
  t.equal(
    nodes.a.unit.receive(
      nodes.a.peer,
      frame({ type: frameTypes.down, ref: 1, text: 'noconnection' })
    ),
    true
  )
  t.match(who.exits, [{ pid: target, reason: 'error' }])
  t.equal(nodes.a.unit.size, 0)
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

t.test('records the error when a producer throws in resume, and goes on', async (t) => {
  const { nodes, at } = await connected()
  nodes.a.unit.receive(nodes.a.peer, frame({ type: frameTypes.pause, ref: 1 }))
  at.subscribeToDrain({ resume () { throw new Error('no') } })
  t.equal(nodes.a.unit.receive(nodes.a.peer, frame({ type: frameTypes.resume, ref: 1 })), true)
  t.match(nodes.a.node.failures, [{ message: 'no' }])
})

t.test('does not handle frames of other types, or for unknown references', async (t) => {
  const { nodes } = await connected()
  for (const type of [frameTypes.send, frameTypes.call, 127]) {
    t.equal(nodes.a.unit.receive(nodes.a.peer, frame({ type })), undefined)
  }
  for (const type of [frameTypes.down, frameTypes.demonitor]) {
    t.equal(nodes.b.unit.receive(nodes.b.peer, frame({ type, ref: 99 })), undefined)
  }
})
