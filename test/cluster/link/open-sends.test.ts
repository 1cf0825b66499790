import t from 'tap'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { decodeNumberList } from '../../../lib/cluster/link/number-list.js'
import { OpenSends } from '../../../lib/cluster/link/open-sends.js'
import { connectionCodec } from '../../../lib/connection/remote.js'
import { encodePayload } from '../../../lib/cluster/values/payload.js'

/** Sends like a channel. @returns whether the payload had to be encoded */
function send (
  open: OpenSends,
  to: number,
  payload: unknown,
  { topic = 'ws.send', from = 1 } = {}
): boolean {
  if (topic === 'ws.send' && open.joinText(to, from, payload)) return false
  const fields = { type: frameTypes.send, to, from, text: topic, ...encodePayload(payload)! }
  if (open.joinContent(fields)) return true
  t.notOk(open.mustCloseBefore(fields))
  open.openSend(fields, payload)
  return true
}

/** The receivers of each frame. */
function closed (open: OpenSends): number[][] {
  return open.closeAll().map(({ fields, receivers }) =>
    receivers === undefined ? [fields.to!] : decodeNumberList(receivers)!)
}

t.test('makes one frame of a loop over receivers, and encodes the text once', async (t) => {
  const open = new OpenSends(connectionCodec)
  const encoded = [1, 2, 3].map((to) => send(open, to, { type: 'text', data: 'news' }))
  t.strictSame(encoded, [true, false, false])
  t.equal(open.length, 1)
  t.match(open.closeAll(), [
    { fields: { type: frameTypes.sendMany, to: 0, from: 1, text: 'ws.send' } }
  ])
  t.equal(open.length, 0)
})

t.test('makes one frame of each payload, whichever of two loops is inside', async (t) => {
  const open = new OpenSends(connectionCodec)
  const payloads = ['a', 'b', 'a']
  for (const to of [1, 2, 3]) for (const data of payloads) send(open, to, { data })
  t.strictSame(closed(open), [[1, 2, 3], [1, 2, 3], [1, 2, 3]])
  for (const data of payloads) for (const to of [1, 2, 3]) send(open, to, { data })
  t.strictSame(closed(open), [[1, 2, 3], [1, 2, 3], [1, 2, 3]])
})

t.test('keeps the order of the messages to each receiver', async (t) => {
  const open = new OpenSends(connectionCodec)
  for (const [to, data] of [
    [1, 'a'],
    [1, 'b'],
    [2, 'b'],
    [2, 'a'],
    [1, 'a'],
    [1, 'a']
  ] as const) { send(open, to, { data }) }
  t.strictSame(closed(open), [[1], [1, 2], [2, 1, 1]])
})

t.test(
  'compares bytes and mixed payloads by content, and copies bytes that the sender may change',
  async (t) => {
    const open = new OpenSends(connectionCodec)
    for (const to of [1, 2]) {
      send(open, to, { type: 'binary', data: Buffer.from('x') })
      send(open, to, { type: 'text', data: 'x' })
      send(open, to, { type: 'binary', data: 'x' })
      send(open, to, { data: 'x', more: true })
    }
    t.strictSame(closed(open), [
      [1, 2],
      [1, 2],
      [1, 2],
      [1, 2]
    ])
    const long = { data: Buffer.alloc(20_000) }
    for (const to of [1, 2]) send(open, to, long)
    send(open, 3, { data: Buffer.alloc(20_000, 1) })
    t.strictSame(closed(open), [[1, 2], [3]])
    const bytes = Buffer.from([1])
    send(open, 1, bytes, { topic: 'news' })
    bytes[0] = 2
    t.strictSame([...open.closeAll()[0].fields.body!], [1])
  }
)

t.test('takes text only from plain objects, also when a getter throws', async (t) => {
  const open = new OpenSends(connectionCodec)
  let reads = 0
  const trap = { get data () { if (reads++ === 1) throw new Error('boom'); return 'news' } }
  for (const payload of [
    trap,
    'news',
    null,
    Object.assign(Object.create(null), { data: 'news' }),
    { data: 5 },
    { data: 'news' },
    { data: 'news' }
  ]) { send(open, 1, payload) }
  t.strictSame(closed(open).flat(), [1, 1, 1, 1, 1, 1, 1])
})

t.test(
  'joins consecutive equal payloads of another topic, and closes them before any other frame',
  async (t) => {
    const open = new OpenSends(connectionCodec)
    for (const to of [1, 2]) send(open, to, { n: 1 }, { topic: 'note' })
    const apart = (text: string, from: number): boolean =>
      open.mustCloseBefore({ type: frameTypes.send, to: 1, from, text, ...encodePayload(1)! })
    t.ok(apart('note', 1))
    t.ok(apart('ws.send', 1))
    t.strictSame(closed(open), [[1, 2]])
    t.notOk(apart('note', 1), 'there is none')
    send(open, 1, { data: 'x' })
    t.notOk(apart('ws.send', 1))
    t.ok(apart('ws.send', 2), 'another sender')
    t.ok(apart('note', 1))
    const fields = {
      type: frameTypes.send,
      to: 2,
      from: 1,
      text: 'note',
      ...encodePayload({ data: 'x' })!
    }
    t.notOk(open.joinContent(fields))
    t.notOk(open.joinText(2, 2, { data: 'x' }))
  }
)

t.test(
  'refuses further receivers when the frame, or all lists together, would be too long',
  async (t) => {
    const open = new OpenSends(connectionCodec)
    const mega = 1024 * 1024
    const long = { data: 'x'.repeat(32 * mega - 100) }
    let to = 0
    while (to < 100 && (to++ === 0 ? send(open, to, long) : open.joinText(to, 1, long)));
    t.ok(to > 10 && to < 100)
    open.clear()
    send(open, 1, { data: 'x' })
    for (to = 1; open.joinText(to % 2 === 0 ? 1 : 2 ** 47, 1, { data: 'x' });) to++
    t.ok(to > mega / 8 && to < mega)
    t.ok(
      open.mustCloseBefore({
        type: frameTypes.send,
        to: 1,
        from: 1,
        text: 'ws.send',
        ...encodePayload({ data: 'y' })!
      })
    )
  }
)
