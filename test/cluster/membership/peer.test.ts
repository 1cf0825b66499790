import t from 'tap'
import { contextWithBatches } from '../fixtures/context.js'
import { serialOf, suffixOf } from '../../../lib/cluster/context.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { Peer } from '../../../lib/cluster/membership/peer.js'
import type { Pid } from '../../../types/pid.js'

function make (): Peer {
  return new Peer(contextWithBatches(1024), 'web-1', 1_700_000_000_000, {
    node: 'web-1',
    publishBatch: () => true,
    scheduleFlush () {},
    handleFrame: () => true,
    channelReset () {}
  })
}

t.test('makes a PID of serial number, node and incarnation', async (t) => {
  const suffix = suffixOf('web-1', 1_700_000_000_000)
  t.equal(suffix, '@web-1.loyw3v28')
  t.equal(make().pid(17), `17${suffix}`)
  t.equal(make().suffix, suffix)
  t.equal(serialOf(make().pid(17)), 17)
  t.equal(serialOf(`${2 ** 47}@a.1` as Pid), 2 ** 47)
  t.equal(serialOf(undefined), 0, 'nobody')
})

t.test('refuses frames while the node is not up', async (t) => {
  const peer = make()
  t.notOk(peer.sendFrame({ type: frameTypes.send }))
  t.equal(peer.channel.unacknowledged, 0)
  peer.up = true
  t.ok(peer.sendFrame({ type: frameTypes.send }))
  t.equal(peer.channel.unacknowledged, 1)
})

t.test('refuses messages but no system frames when the window is full', async (t) => {
  const peer = make()
  peer.up = true
  while (!peer.channel.window.full) peer.sendFrame({ type: frameTypes.send })
  t.notOk(peer.sendFrame({ type: frameTypes.send }, 'message'))
  t.ok(peer.sendFrame({ type: frameTypes.down }))
})

t.test('counts refused messages, and records their receivers', async (t) => {
  const peer = make()
  peer.up = true
  const payload = { data: 'news' }
  const fields = {
    type: frameTypes.send,
    to: 1,
    from: 2,
    text: 'ws.send',
    kind: 2,
    body: Buffer.from('news')
  }
  t.ok(peer.sendMessage(fields, payload))
  t.ok(peer.joinMessage(3, 2, { data: 'news' }))
  t.ok(peer.sendBroadcast({ type: frameTypes.relayedBroadcast }, 'room', ''))
  t.ok(peer.sendUrgent({ type: frameTypes.call, to: 1 }))
  while (!peer.channel.window.refuses('call')) peer.sendFrame({ type: frameTypes.exit })
  t.equal(peer.refusedMessages, 0)
  t.notOk(peer.sendMessage(fields, payload))
  t.notOk(peer.sendUrgent({ type: frameTypes.call, to: 4 }))
  t.notOk(peer.sendBroadcast({ type: frameTypes.relayedBroadcast }, 'room', ''))
  t.equal(peer.refusedMessages, 3)
  t.equal(peer.channel.missedMessages.size, 3)
})
