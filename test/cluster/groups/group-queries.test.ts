import t from 'tap'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { GroupQueries } from '../../../lib/cluster/groups/group-queries.js'
import { encodePayload } from '../../../lib/cluster/values/payload.js'
import { timings } from '../../../lib/cluster/timing.js'
import { testContext } from '../fixtures/context.js'
import { receive } from '../fixtures/pair.js'
import { Calm, Machine, World } from '../simulation/world.js'
import type { Frame, FrameFields } from '../../../lib/cluster/link/codec.js'
import type { Peer } from '../../../lib/cluster/membership/peer.js'
import type { Pid } from '../../../types/pid.js'

/** Another node that records the received frames. */
function fakePeer (takes = true): { readonly peer: Peer, readonly pushed: FrameFields[] } {
  const pushed: FrameFields[] = []
  const sendFrame = (fields: FrameFields): boolean => takes && pushed.push(fields) > 0
  return {
    peer: { sendFrame, pid: (serial: number) => `${serial}@b.x` } as unknown as Peer,
    pushed
  }
}

function frame (fields: FrameFields): Frame {
  return { kind: 0, seq: 1, to: 0, from: 0, ref: 0, text: '', body: Buffer.alloc(0), ...fields }
}

function setUp (): {
  readonly questions: GroupQueries
  readonly world: World
  readonly machine: Machine
} {
  const world = new World(new Calm(1))
  const machine = new Machine(world)
  const membersHere = (group: string): Pid[] =>
    group === 'room' ? (['1@a.x', '7@a.x'] as Pid[]) : []
  return {
    world,
    machine,
    questions: new GroupQueries(testContext({ clock: machine }), membersHere)
  }
}

t.test('answers a query with the serial numbers of the local members', async (t) => {
  const { questions } = setUp()
  const { peer, pushed } = fakePeer()
  t.equal(receive({ unit: questions, peer }, frame({ type: frameTypes.ask, ref: 5, text: 'room' })), true)
  t.equal(receive({ unit: questions, peer }, frame({ type: frameTypes.ask, ref: 6, text: 'other' })), true)
  t.strictSame(pushed, [
    { type: frameTypes.members, ref: 5, ...encodePayload([1, 7])! },
    { type: frameTypes.members, ref: 6, ...encodePayload([])! }
  ])
  t.equal(receive({ unit: questions, peer }, frame({ type: frameTypes.send })), undefined, 'of another kind')
})

t.test(
  'resolves a query with the first answer and ignores later and unknown answers',
  async (t) => {
    const { questions, machine } = setUp()
    const { peer, pushed } = fakePeer()
    const answer = questions.query('room', peer)
    t.strictSame(pushed, [{ type: frameTypes.ask, ref: 1, text: 'room' }])
    t.equal(questions.size, 1)
    for (const serials of [[3, 4], [5]]) {
      const fields = { type: frameTypes.members, ref: 1, ...encodePayload(serials)! }
      t.equal(receive({ unit: questions, peer }, frame(fields)), true)
    }
    t.strictSame(await answer, ['3@b.x', '4@b.x'])
    t.equal(questions.size + machine.timers, 0)
  }
)

t.test('gives up a query when its answer is malformed or the channel resets', async (t) => {
  const { questions } = setUp()
  const { peer } = fakePeer()
  const bodies = [undefined, 'x', { 0: 1 }, ['1'], [1.5], [2 ** 60]].map((payload) =>
    encodePayload(payload)!
  )
  for (const [i, body] of [...bodies, { kind: 3, body: Buffer.from([0xc1]) }].entries()) {
    const answer = questions.query('room', peer)
    t.equal(
      receive({ unit: questions, peer }, frame({ type: frameTypes.members, ref: i + 1, ...body })),
      false
    )
    t.equal(await answer, undefined)
  }
  t.equal(questions.size, 0)
  const lost = questions.query('room', peer)
  questions.channelReset(peer)
  t.equal(await lost, undefined)
  questions.channelReset(peer)
})

t.test(
  'resolves with undefined after the request timeout, or when the query cannot be sent',
  async (t) => {
    const { questions, world, machine } = setUp()
    t.equal(await questions.query('room', fakePeer(false).peer), undefined)
    const answer = questions.query('room', fakePeer().peer)
    await world.runUntil(world.now + timings.default.request - 1, () => {})
    t.equal(questions.size, 1)
    await world.runUntil(world.now + 1, () => {})
    t.equal(await answer, undefined)
    t.equal(questions.size + machine.timers, 0)
  }
)
