import t, { type Test } from 'tap'
import { memory, MemoryHub } from '../../../../lib/cluster/engines/memory.js'
import type { ClusterTransport } from '../../../../types/cluster.js'

const unavailable = { code: 'FST_CLUSTER_UNAVAILABLE' }

async function open (t: Test, hub: MemoryHub, states: boolean[] = []): Promise<ClusterTransport> {
  const { transport } = memory({ hub })
  t.teardown(() => transport.close())
  await transport.open({ state: (up) => { states.push(up) } })
  return transport
}

t.test('disconnects a node with cut, and leaves the others connected', async (t) => {
  const hub = new MemoryHub()
  const states: boolean[] = []
  const [a, b, c] = [await open(t, hub), await open(t, hub), await open(t, hub, states)]
  const heard: string[] = []
  await b.subscribe('x', (frame) => { heard.push(`b ${frame[0]}`) })
  await c.subscribe('x', (frame) => { heard.push(`c ${frame[0]}`) })
  const outcome = t.rejects(c.get('k'), unavailable)
  hub.cut(c)
  await outcome
  t.equal(c.publish('x', Uint8Array.of(1)), false)
  t.equal(a.publish('x', Uint8Array.of(2)), true)
  await a.flush(1000)
  hub.mend(c)
  t.equal(c.publish('x', Uint8Array.of(3)), true)
  await c.flush(1000)
  t.strictSame(heard, ['b 2', 'b 3', 'c 3'])
  t.strictSame(states, [true, false, true])
})

t.test('loses pending requests on stop, and keeps the register', async (t) => {
  const hub = new MemoryHub()
  const a = await open(t, hub)
  const revision = await a.cas('k', Uint8Array.of(7), 0)
  const lost = t.rejects(a.cas('k', Uint8Array.of(8), revision), unavailable)
  hub.stop()
  await lost
  hub.start()
  t.strictSame(await a.get('k').then((entry) => [entry?.value[0], entry?.revision]), [7, revision])
  hub.clear()
  t.equal(await a.get('k'), undefined)
})

t.test('gives each subscriber its own copy of a frame', async (t) => {
  const hub = new MemoryHub()
  const [a, b] = [await open(t, hub), await open(t, hub)]
  const heard: number[] = []
  for (const node of [a, b]) await node.subscribe('x', (frame) => { heard.push(frame[0]++) })
  const frame = Uint8Array.of(1)
  a.publish('x', frame)
  frame[0] = 9
  await a.flush(1000)
  t.strictSame(heard, [1, 1])
})
