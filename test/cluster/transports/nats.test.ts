import t from 'tap'
import { conform } from './conformance.js'
import { nats } from '../../../lib/cluster/transports/nats.js'
import { missing, natsServer } from '../fixtures/servers.js'

const skip = missing('nats-server')

t.test('an engine as all are', { skip }, (t) => {
  conform(t, async (t) => {
    const server = await natsServer(t)
    return { ...server, connect: () => nats({ servers: `127.0.0.1:${server.port}` }) }
  })
  t.end()
})
