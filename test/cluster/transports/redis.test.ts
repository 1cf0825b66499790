import t, { type Test } from 'tap'
import { conform } from './conformance.js'
import { documented } from '../fixtures/documented.js'
import { missing, redisServer, type EngineServer } from '../fixtures/servers.js'
import { redis, type RedisOptions } from '../../../lib/cluster/transports/redis.js'

const skip = missing('redis-server')
const silent = { state: (): void => {} }

/** A server with the user that is documented, and nobody else. */
async function restricted (t: Test, change = (rule: string): string => rule): Promise<EngineServer> {
  const rule = change(await documented('user fwr')).trim().split(' ').slice(1)
  return await redisServer(t, ['--user', ...rule, '--user', 'default', 'off', '~*', '&*', '+@all'])
}

t.test('an engine as all are, with the least permissions that are documented', { skip }, async (t) => {
  conform(t, async (t) => {
    const server = await restricted(t)
    return { ...server, connect: () => redis({ url: `redis://fwr:secret@127.0.0.1:${server.port}` }) }
  })
})

async function refused (t: Test, server: EngineServer, options: RedisOptions, code: string): Promise<void> {
  const { transport } = redis({ host: '127.0.0.1', port: server.port, ...options })
  t.teardown(() => transport.close())
  await t.rejects(transport.open(silent), { code })
}

t.test('wrong credentials are refused, and too little permission', { skip }, async (t) => {
  const server = await restricted(t)
  await refused(t, server, {}, 'FST_CLUSTER_ACCESS_DENIED')
  await refused(t, server, { username: 'fwr', password: 'wrong' }, 'FST_CLUSTER_ACCESS_DENIED')
  await refused(t, server, { username: 'fwr', password: 'secret', prefix: 'other' }, 'FST_CLUSTER_ACCESS_DENIED')
  for (const command of ['+publish', '+subscribe', '+pubsub|numsub', '+eval', '+hset', '+hmget', '+incr', '+del']) {
    const less = await restricted(t, (rule) => rule.replace(` ${command}`, ''))
    await refused(t, less, { username: 'fwr', password: 'secret' }, 'FST_CLUSTER_ACCESS_DENIED')
  }
})

t.test('a topic that may not be subscribed to is refused', { skip }, async (t) => {
  const server = await restricted(t)
  const { transport } = redis({ url: `redis://fwr:secret@127.0.0.1:${server.port}` })
  t.teardown(() => transport.close())
  await transport.open(silent)
  await t.rejects(transport.subscribe('other.x', () => {}), { code: 'FST_CLUSTER_ACCESS_DENIED' })
})

t.test('a Redis Cluster is not supported', { skip }, async (t) => {
  await refused(t, await redisServer(t, ['--appendonly', 'no', '--cluster-enabled', 'yes']), {}, 'FST_CLUSTER_UNSUPPORTED')
})

t.test('wrong options are refused, and no password is shown', async (t) => {
  t.throws(() => redis({ url: 5 as unknown as string }), { code: 'FST_CLUSTER_INVALID_OPTIONS' })
  try {
    redis({ url: 'http://fwr:secret@x' })
    t.fail('it was taken')
  } catch (error) {
    t.match(error, { code: 'FST_CLUSTER_INVALID_OPTIONS' })
    t.notMatch(String(error), /secret/)
  }
  t.equal(redis().prefix, 'fwr')
})
