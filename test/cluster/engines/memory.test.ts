import t from 'tap'
import { conform } from './conformance.js'
import { memory, MemoryHub } from '../../../lib/cluster/engines/memory.js'

conform(t, async () => {
  const hub = new MemoryHub()
  return {
    connect: () => memory({ hub }),
    async kill () { hub.stop() },
    async restart (empty = false) {
      if (empty) hub.clear()
      hub.start()
    }
  }
})

t.test('throws when an option is invalid', async (t) => {
  const refused = { code: 'FST_CLUSTER_INVALID_OPTIONS' }
  t.throws(() => memory({ servers: 'x' } as object), refused)
  t.throws(() => memory({ hub: {} as MemoryHub }), {
    ...refused, message: /'hub' must be a MemoryHub/
  })
})

t.test('connects engines without a hub with each other', async (t) => {
  const [a, b] = [memory().transport, memory().transport]
  t.teardown(() => Promise.all([a.close(), b.close()]))
  await Promise.all([a.open({ state: () => {} }), b.open({ state: () => {} })])
  await b.subscribe('memory.test', () => {})
  t.equal(await a.probe('memory.test'), true)
})

t.test('refuses frames when 16 MiB wait for delivery', async (t) => {
  const { transport } = memory({ hub: new MemoryHub() })
  t.teardown(() => transport.close())
  await transport.open({ state: () => {} })
  const frame = new Uint8Array(transport.caps.maxFrame)
  let taken = 0
  while (transport.publish('x', frame)) taken += frame.length
  t.equal(taken, 16 * 1024 * 1024)
  await transport.flush(1000)
  t.equal(transport.publish('x', frame), true)
})

t.test('has a durable register until it is cleared', async (t) => {
  const hub = new MemoryHub()
  const { transport } = memory({ hub })
  t.equal(transport.caps.durable, true)
  hub.stop()
  hub.start()
  t.equal(transport.caps.durable, true)
  hub.clear()
  t.equal(transport.caps.durable, false)
})
