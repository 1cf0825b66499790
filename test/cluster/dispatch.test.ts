import t from 'tap'
import { testContext } from './fixtures/context.js'
import { frame, TestNode, TestPeer } from './fixtures/pair.js'
import { dispatcherOf, refuse } from '../../lib/cluster/dispatch.js'
import { NodeGroups } from '../../lib/cluster/groups/groups.js'
import { skippable } from '../../lib/cluster/link/codec.js'
import { frameTypes } from '../../lib/cluster/link/frame-types.js'
import { Router } from '../../lib/cluster/remote/router.js'
import type { FrameHandlers } from '../../lib/cluster/dispatch.js'

function recording (): { readonly handlers: FrameHandlers, readonly called: string[] } {
  const called: string[] = []
  const entries = Object.keys(frameTypes).map((name) => [name, () => {
    called.push(name)
    return name !== 'send'
  }])
  return { handlers: Object.fromEntries(entries) as FrameHandlers, called }
}

t.test('passes each frame to the handler of its type, and returns the result', async (t) => {
  const { handlers, called } = recording()
  const dispatch = dispatcherOf(handlers)
  const peer = new TestPeer('b')
  for (const [name, type] of Object.entries(frameTypes)) {
    t.equal(dispatch(peer, frame({ type })), name !== 'send')
  }
  t.strictSame(called, Object.keys(frameTypes))
})

t.test('rejects a frame that may not arrive alone', async (t) => {
  t.equal(refuse(new TestPeer('b'), frame({ type: frameTypes.except })), false)
})

t.test('rejects a frame of an unknown type, unless its type may be skipped', async (t) => {
  const dispatch = dispatcherOf(recording().handlers)
  const peer = new TestPeer('b')
  t.equal(dispatch(peer, frame({ type: 0 })), false)
  t.equal(dispatch(peer, frame({ type: skippable - 1 })), false)
  t.equal(dispatch(peer, frame({ type: skippable })), true)
  t.equal(dispatch(peer, frame({ type: 0xff })), true)
})

t.test('does not compile without a handler for each type', async (t) => {
  const { send: _send, ...incomplete } = recording().handlers
  // @ts-expect-error -- `send` has no handler
  dispatcherOf(incomplete)
  t.pass()
})

t.test('gives each type to one part of a node only', async (t) => {
  const node = new TestNode('a')
  const groups = new NodeGroups(testContext(), {} as never, {} as never, {} as never)
  const handled = [...Object.keys(new Router(node, node).handlers), ...Object.keys(groups.handlers)]
  t.strictSame([...new Set(handled)], handled)
  // The channel puts fragments together; the other two arrive on the topics of groups.
  t.strictSame(
    Object.keys(frameTypes).filter((name) => !handled.includes(name)),
    ['fragment', 'broadcast', 'except']
  )
})
