import t from 'tap'
import { addressesOf } from '../../../lib/cluster/engines/addresses.js'
import { nats } from '../../../lib/cluster/engines/nats.js'
import { redis } from '../../../lib/cluster/engines/redis.js'

t.test('has hosts and ports, and no credentials', async (t) => {
  const addresses = {
    'nats://user:secret@nats.test:4222': 'nats.test:4222',
    'user:sec@ret/secret@nats.test:4222': 'nats.test:4222',
    'TLS://token@[::1]:4222/path?secret': '[::1]:4222',
    'nats.test': 'nats.test',
    'redis://:secret@redis.test:6380/2?password=secret': 'redis.test:6380'
  }
  for (const [server, address] of Object.entries(addresses)) {
    t.equal(addressesOf(server), address)
  }
  t.equal(addressesOf(['nats://a:1', 'nats://u:p@b:2']), 'a:1, b:2')
})

t.test('engines know their addresses', async (t) => {
  t.equal(nats().transport.address, '127.0.0.1:4222')
  t.equal(nats({ servers: ['u:secret@a:1', 'b:2'] }).transport.address, 'a:1, b:2')
  t.equal(redis().transport.address, '127.0.0.1:6379')
  t.equal(redis({ url: 'rediss://u:secret@a:1/0' }).transport.address, 'a:1')
  t.equal(redis({ host: 'a', port: 1, password: 'secret' }).transport.address, 'a:1')
  t.equal(redis({ path: '/run/redis.sock' }).transport.address, '/run/redis.sock')
  const sentinels = [{ host: 'a', port: 1 }, { host: 'b' }, { port: 2 }]
  t.equal(
    redis({ sentinels, name: 'm', host: 'c' }).transport.address, 'Sentinels a:1, b:26379, c:2'
  )
})
