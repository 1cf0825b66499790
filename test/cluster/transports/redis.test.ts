import t from 'tap'
import { conform } from './conformance.js'
import { redis } from '../../../lib/cluster/transports/redis.js'
import { missing, redisServer } from '../fixtures/servers.js'

const skip = missing('redis-server')

t.test('an engine as all are', { skip }, (t) => {
  conform(t, async (t) => {
    const server = await redisServer(t)
    return { ...server, connect: () => redis({ url: `redis://127.0.0.1:${server.port}` }) }
  })
  t.end()
})
