import t from 'tap'
import fc from 'fast-check'
import { frame, Pair, receive } from '../fixtures/pair.js'
import { frameTypes } from '../../../lib/cluster/link/frame-types.js'
import { RemoteLinks } from '../../../lib/cluster/remote/remote-links.js'
import type { Side } from '../fixtures/pair.js'
import type { Pid } from '../../../types/pid.js'

interface Linked {
  nodes: Pair<RemoteLinks>
  /** A process of `a`, and one of `b`. */
  one: Pid
  two: Pid
}

function make (): Linked {
  const nodes = new Pair((hub) => {
    const links = new RemoteLinks(hub, hub)
    hub.local.remoteNodes = {
      localLinkEnded: (exit: never, there: Pid) => {
        links.localEnded(exit, there)
      }
    } as never
    return links
  })
  return { nodes, one: nodes.a.local.spawn(), two: nodes.b.local.spawn() }
}

/** Links like the runtime, which writes its own record first. */
function link ({ unit, local: here }: Side<RemoteLinks>, from: Pid, to: Pid): void {
  here.processes.get(from)!.links.add(to)
  unit.link(from, to)
}

function unlink ({ unit, local: here }: Side<RemoteLinks>, from: Pid, to: Pid): void {
  here.processes.get(from)?.links.delete(to)
  unit.unlink(from, to)
}

function linked (): Linked {
  const made = make()
  link(made.nodes.a, made.one, made.two)
  made.nodes.deliverAll()
  return made
}

function isLinked ({ local: here }: Side<RemoteLinks>, one: Pid, other: Pid): boolean {
  return here.processes.get(one)?.links.has(other) === true
}

t.test('a link exists on both nodes, and each exit is delivered once', async (t) => {
  for (const side of ['a', 'b'] as const) {
    const { nodes, one, two } = linked()
    t.ok(isLinked(nodes.a, one, two) && isLinked(nodes.b, two, one))
    const [ending, survivor] = side === 'a' ? [one, two] : [two, one]
    const [here, there] = side === 'a' ? [nodes.a, nodes.b] : [nodes.b, nodes.a]
    here.local.end(ending, 'boom')
    nodes.deliverAll()
    t.strictSame(there.local.ends, [{ pid: survivor, exit: { pid: ending, reason: 'boom' } }])
    nodes.resetChannel()
    t.equal(there.local.ends.length, 1)
    t.equal(nodes.size, 0)
  }
})

t.test('sends no frame when either side asks for an existing link again', async (t) => {
  const { nodes, one, two } = linked()
  nodes.a.unit.link(one, two)
  t.equal(nodes.a.peer.sent.length, 0)
  nodes.b.unit.link(two, one)
  t.equal(nodes.b.peer.sent.length, 0)
})

t.test('creates one link when both sides link at the same time', async (t) => {
  const { nodes, one, two } = make()
  link(nodes.a, one, two)
  link(nodes.b, two, one)
  nodes.deliverAll()
  t.ok(isLinked(nodes.a, one, two) && isLinked(nodes.b, two, one))
  nodes.a.local.end(one, 'boom')
  nodes.deliverAll()
  t.equal(nodes.b.local.ends.length, 1)
})

t.test('ends a link to a dead process with noproc', async (t) => {
  const { nodes, one } = make()
  const dead = nodes.b.node.pid(99)
  link(nodes.a, one, dead)
  nodes.deliverAll()
  t.strictSame(nodes.a.local.ends, [{ pid: one, exit: { pid: dead, reason: 'noproc' } }])
  t.equal(nodes.size, 0)
})

t.test('ends a link to an unreachable node at once, with the reason', async (t) => {
  const { nodes, one, two } = make()
  nodes.disconnect()
  link(nodes.a, one, two)
  t.strictSame(nodes.a.local.ends, [{ pid: one, exit: { pid: two, reason: 'noconnection' } }])
  unlink(nodes.a, one, two)
  nodes.a.local.end(one, 'done')
  t.equal(nodes.size, 0)
})

t.test('ends a link once on both sides with noconnection when the channel resets', async (t) => {
  const { nodes, one, two } = linked()
  nodes.resetChannel()
  nodes.resetChannel()
  t.strictSame(nodes.a.local.ends, [{ pid: one, exit: { pid: two, reason: 'noconnection' } }])
  t.strictSame(nodes.b.local.ends, [{ pid: two, exit: { pid: one, reason: 'noconnection' } }])
  t.equal(nodes.size, 0)
})

t.test('an unlink holds at once: no later exit and no loss of the node is delivered', async (t) => {
  const { nodes, one, two } = linked()
  nodes.b.local.end(two, 'boom')
  unlink(nodes.a, one, two)
  nodes.deliverAll()
  t.strictSame(nodes.a.local.ends, [])
  t.equal(nodes.size, 0)
  const again = linked()
  unlink(again.nodes.a, again.one, again.two)
  again.nodes.resetChannel()
  t.strictSame(again.nodes.a.local.ends, [])
  t.equal(again.nodes.size, 0)
})

t.test('an unlink removes the link on the remote node, which confirms it once', async (t) => {
  const { nodes, one, two } = linked()
  unlink(nodes.a, one, two)
  unlink(nodes.a, one, two)
  t.equal(nodes.a.peer.sent.length, 1)
  nodes.deliverTo(nodes.b)
  t.notOk(isLinked(nodes.b, two, one))
  t.equal(nodes.a.unit.size, 1, 'kept until it is confirmed')
  nodes.deliverAll()
  t.equal(nodes.size, 0)
  nodes.b.local.end(two, 'boom')
  nodes.deliverAll()
  t.strictSame(nodes.a.local.ends, [])
})

t.test('removes the link when both sides unlink at the same time', async (t) => {
  const { nodes, one, two } = linked()
  unlink(nodes.a, one, two)
  unlink(nodes.b, two, one)
  nodes.deliverAll()
  t.equal(nodes.size, 0)
})

t.test('an unlink also removes a link that the other side makes at the same time', async (t) => {
  const { nodes, one, two } = make()
  link(nodes.a, one, two)
  link(nodes.b, two, one)
  unlink(nodes.a, one, two)
  nodes.deliverAll()
  t.notOk(isLinked(nodes.a, one, two))
  t.notOk(isLinked(nodes.b, two, one))
  t.equal(nodes.size, 0)
})

t.test('ignores the exit of an earlier link when the processes are linked again', async (t) => {
  const { nodes, one, two } = linked()
  const old = frame({ type: frameTypes.linkDown, to: 1, from: 1, text: 'old' })
  unlink(nodes.a, one, two)
  link(nodes.a, one, two)
  t.equal(receive(nodes.a, old), true)
  t.strictSame(nodes.a.local.ends, [])
  nodes.deliverAll()
  t.ok(isLinked(nodes.b, two, one))
  nodes.b.local.end(two, 'new')
  nodes.deliverAll()
  t.match(nodes.a.local.ends, [{ exit: { reason: 'new' } }])
})

t.test('waits for the confirmation of the last unlink', async (t) => {
  const { nodes, one, two } = linked()
  unlink(nodes.a, one, two)
  link(nodes.a, one, two)
  unlink(nodes.a, one, two)
  nodes.deliverTo(nodes.b)
  const [first, second] = nodes.b.peer.sent.splice(0)
  receive(nodes.a, first)
  t.equal(nodes.a.unit.size, 1, 'the second is still under way')
  receive(nodes.a, second)
  t.equal(nodes.a.unit.size, 0)
  t.equal(
    receive(nodes.a, second),
    true,
    'one that comes too late confirms nothing'
  )
})

t.test('sends no exit after an unlink, and removes the record with the confirmation', async (t) => {
  const { nodes, one, two } = linked()
  nodes.a.unit.unlink(one, two)
  nodes.a.local.end(one, 'boom')
  nodes.deliverAll()
  t.strictSame(nodes.b.local.ends, [])
  t.equal(nodes.size, 0)
  const again = linked()
  unlink(again.nodes.a, again.one, again.two)
  link(again.nodes.a, again.one, again.two)
  again.nodes.a.local.end(again.one, 'boom')
  t.equal(again.nodes.a.unit.size, 1)
  again.nodes.deliverAll()
  t.match(again.nodes.b.local.ends, [{ exit: { reason: 'boom' } }])
  t.equal(again.nodes.size, 0)
})

t.test('treats a malformed exit frame as an exit with noconnection', async (t) => {
  const { nodes, one, two } = linked()
  t.equal(
    receive(nodes.a, frame({ type: frameTypes.linkDown, to: 1, from: 1, text: 'x', kind: 9 })
    ),
    false
  )
  t.strictSame(nodes.a.local.ends, [{ pid: one, exit: { pid: two, reason: 'noconnection' } }])
  nodes.resetChannel()
  t.strictSame(nodes.a.local.ends, [{ pid: one, exit: { pid: two, reason: 'noconnection' } }])
})

t.test('ignores the exit of a process that is not linked', async (t) => {
  const { nodes } = linked()
  t.equal(
    receive(nodes.a, frame({ type: frameTypes.linkDown, to: 1, from: 99, text: 'x' })
    ),
    true
  )
  t.strictSame(nodes.a.local.ends, [])
})

t.test('notifies the other processes when one of them throws', async (t) => {
  const { nodes, one, two } = linked()
  const other = nodes.a.local.spawn()
  link(nodes.a, other, two)
  nodes.deliverAll()
  const thrown = new Error('no')
  const { remoteLinkEnded: linkedEnded } = nodes.a.local
  nodes.a.local.remoteLinkEnded = (here, exit) => {
    if (here === one) throw thrown
    linkedEnded.call(nodes.a.local, here, exit)
  }
  nodes.resetChannel()
  t.match(nodes.a.local.ends, [{ pid: other }])
  t.strictSame(nodes.a.node.failures, [thrown])
})

t.test('does not notify a link that another process removes during the notification', async (t) => {
  const { nodes, one, two } = linked()
  const other = nodes.a.local.spawn()
  link(nodes.a, other, two)
  nodes.deliverAll()
  const { remoteLinkEnded: linkedEnded } = nodes.a.local
  nodes.a.local.remoteLinkEnded = (here, exit) => {
    linkedEnded.call(nodes.a.local, here, exit)
    if (here === one) unlink(nodes.a, other, two)
  }
  nodes.resetChannel()
  t.match(nodes.a.local.ends, [{ pid: one }])
  t.strictSame(nodes.a.node.failures, [])
  nodes.deliverAll()
  t.equal(nodes.size, 0)
})

t.test('does not handle frames of other types', async (t) => {
  const { nodes } = make()
  for (const type of [frameTypes.send, frameTypes.down, 127]) {
    t.equal(receive(nodes.a, frame({ type })), undefined)
  }
})

t.test(
  'both nodes agree on a link after any operations in any order, and keep no record',
  async (t) => {
    const step = fc.constantFrom('link a', 'link b', 'unlink a', 'unlink b', 'to a', 'to b', 'tear')
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { nodes, one, two } = make()
        const does: Record<string, () => void> = {
          'link a': () => {
            link(nodes.a, one, two)
          },
          'link b': () => {
            link(nodes.b, two, one)
          },
          'unlink a': () => {
            unlink(nodes.a, one, two)
          },
          'unlink b': () => {
            unlink(nodes.b, two, one)
          },
          'to a': () => {
            nodes.deliverTo(nodes.a, 1)
          },
          'to b': () => {
            nodes.deliverTo(nodes.b, 1)
          },
          tear: () => {
            nodes.resetChannel()
          }
        }
        for (const name of steps) does[name]()
        nodes.deliverAll()
        const agree = isLinked(nodes.a, one, two) === isLinked(nodes.b, two, one)
        unlink(nodes.a, one, two)
        nodes.deliverAll()
        return agree && !isLinked(nodes.b, two, one) && nodes.size === 0
      }),
      { numRuns: 1000 }
    )
  }
)
