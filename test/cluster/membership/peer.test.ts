import t from 'tap'
import { TestClock } from '../fixtures/time.js'
import { noCounts } from '../fixtures/pair.js'
import { types } from '../../../lib/cluster/link/frames.js'
import { Peer, serialOf, suffixOf } from '../../../lib/cluster/membership/peer.js'
import { timings } from '../../../lib/cluster/timing.js'
import type { Pid } from '../../../types/pid.js'

function make (): Peer {
  return new Peer('web-1', 1_700_000_000_000, {
    clock: new TestClock(), timing: timings.default, counters: noCounts(), batchBytes: 1024, publish: () => true, soon () {}, apply: () => true, torn () {}
  })
}

t.test('a PID is a serial number, and the node and its incarnation behind it', async (t) => {
  const suffix = suffixOf('web-1', 1_700_000_000_000)
  t.equal(suffix, '@web-1.loyw3v28')
  t.equal(make().pid(17), `17${suffix}`)
  t.equal(make().suffix, suffix)
  t.equal(serialOf(make().pid(17)), 17)
  t.equal(serialOf(`${2 ** 47}@a.1` as Pid), 2 ** 47)
  t.equal(serialOf(undefined), 0, 'nobody')
})

t.test('nothing is taken for a node that is not up', async (t) => {
  const peer = make()
  t.notOk(peer.push({ type: types.send }))
  t.equal(peer.channel.unacknowledged, 0)
  peer.up = true
  t.ok(peer.push({ type: types.send }))
  t.equal(peer.channel.unacknowledged, 1)
})

t.test('when the window is full what may be refused is, and what the system has to say is not', async (t) => {
  const peer = make()
  peer.up = true
  while (!peer.channel.window.full) peer.push({ type: types.send })
  t.notOk(peer.push({ type: types.send }, 'message'))
  t.ok(peer.push({ type: types.down }))
})

t.test('counts messages that are refused, and remembers who misses them', async (t) => {
  const peer = make()
  peer.up = true
  const payload = { data: 'news' }
  const fields = { type: types.send, to: 1, from: 2, text: 'ws.send', kind: 2, body: Buffer.from('news') }
  t.ok(peer.send(fields, payload))
  t.ok(peer.join(3, 2, { data: 'news' }))
  t.ok(peer.relay({ type: types.relayedBroadcast }, 'room', ''))
  t.ok(peer.call({ type: types.call, to: 1 }))
  while (!peer.channel.window.refuses('call')) peer.push({ type: types.exit })
  t.equal(peer.refusals, 0)
  t.notOk(peer.send(fields, payload))
  t.notOk(peer.call({ type: types.call, to: 4 }))
  t.notOk(peer.relay({ type: types.relayedBroadcast }, 'room', ''))
  t.equal(peer.refusals, 3)
  t.equal(peer.channel.misses.size, 3)
})
