// Client messages, pauses and malformed frames of a remote binding.
import t from 'tap'
import { frame, receive } from '../fixtures/pair.js'
import { watcher } from '../support.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { encodePayload, payloadKinds } from '../../../lib/cluster/values/payload.js'
import { connected, make } from './bindings.js'
import type { FrameFields } from '../../../lib/cluster/link/codec.js'

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
    t.equal(receive(nodes.a, frame({ type, ref: 1 })), true)
  }
  const asked = make()
  asked.nodes.a.unit.bind(asked.target, watcher()).catch(t.threw)
  for (const type of [frameTypes.pause, frameTypes.resume]) {
    t.equal(
      receive(asked.nodes.a, frame({ type, ref: 1 })),
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

t.test('takes a checked message, and counts its bytes', async (t) => {
  const { nodes, client } = await connected()
  const message = from(1, { type: frameTypes.clientMessage }, { type: 'json', data: 'xy' })
  t.equal(receive(nodes.b, message), true)
  const payload = { type: 'json', data: 'xy', client_pid: client, metadata: undefined }
  t.match(nodes.b.local.mail, [{ payload: { ...payload, bytes: message.body.length } }])
})

t.test('takes client_pid and metadata from the binding, not from the frame', async (t) => {
  const { nodes, client } = await connected()
  const forged = from(1, {}, { client_pid: '1@b.1', metadata: 'forged', uptime: 1 })
  t.equal(receive(nodes.b, forged), true)
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
    from(1, { type: frameTypes.clientMessage }, [1]),
    from(1, { type: frameTypes.clientMessage }, undefined),
    from(
      1,
      { type: frameTypes.metadata, kind: payloadKinds.structured, body: Buffer.from([0xc1]) },
      undefined
    )
  ]
  for (const [i, one] of garbage.entries()) {
    t.equal(receive(nodes.b, one), false, String(i))
  }
  t.strictSame(nodes.b.local.mail, [])
})

t.test('treats a malformed exit frame as an exit with noconnection', async (t) => {
  const { nodes, target, who } = await connected()
  t.equal(
    receive(nodes.a, frame({ type: frameTypes.down, ref: 1, text: 'done', kind: 9 })
    ),
    false
  )
  t.strictSame(who.exits, [{ pid: target, reason: 'noconnection' }])
  t.equal(nodes.a.unit.size, 0)
})

t.test('reports error when a target itself exits with noconnection', async (t) => {
  const { nodes, target, who } = await connected()
  t.equal(
    receive(nodes.a, frame({ type: frameTypes.down, ref: 1, text: 'noconnection' })
    ),
    true
  )
  t.match(who.exits, [{ pid: target, reason: 'error' }])
  t.equal(nodes.a.unit.size, 0)
})

t.test('records the error when a producer throws in resume, and goes on', async (t) => {
  const { nodes, at } = await connected()
  receive(nodes.a, frame({ type: frameTypes.pause, ref: 1 }))
  at.subscribeToDrain({ resume () { throw new Error('no') } })
  t.equal(receive(nodes.a, frame({ type: frameTypes.resume, ref: 1 })), true)
  t.match(nodes.a.node.failures, [{ message: 'no' }])
})

t.test('does not handle frames of other types, or for unknown references', async (t) => {
  const { nodes } = await connected()
  for (const type of [frameTypes.send, frameTypes.call, 127]) {
    t.equal(receive(nodes.a, frame({ type })), undefined)
  }
  for (const type of [frameTypes.down, frameTypes.demonitor]) {
    t.equal(receive(nodes.b, frame({ type, ref: 99 })), undefined)
  }
})
