import { EventEmitter, once } from 'node:events'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { conform } from './conformance.js'
import { documented } from '../fixtures/documented.js'
import {
  redisReplica,
  redisSentinel,
  redisServer,
  silentServer,
  type EngineServer
} from '../fixtures/servers.js'
import { missing } from '../../installed.js'
import { redis, type RedisOptions } from '../../../lib/cluster/engines/redis.js'

const skip = missing('redis-server')
const silent = { state: (): void => {} }

/** A server with only the documented user. */
async function restricted (
  t: Test, change = (rule: string): string => rule
): Promise<EngineServer> {
  const rule = change(await documented('user fwr'))
    .trim()
    .split(' ')
    .slice(1)
  return await redisServer(t, ['--user', ...rule, '--user', 'default', 'off', '~*', '&*', '+@all'])
}

t.test(
  'passes the conformance suite with the documented minimal permissions',
  { skip },
  async (t) => {
    conform(t, async (t) => {
      const server = await restricted(t)
      return {
        ...server,
        connect: () => redis({ url: `redis://fwr:secret@127.0.0.1:${server.port}` })
      }
    })
  }
)

async function refused (
  t: Test,
  server: EngineServer,
  options: RedisOptions,
  code: string
): Promise<void> {
  const { transport } = redis({ host: '127.0.0.1', port: server.port, ...options })
  t.teardown(() => transport.close())
  await t.rejects(transport.open(silent), { code })
}

t.test(
  'rejects with a coded error when credentials or permissions are wrong',
  { skip },
  async (t) => {
    const server = await restricted(t)
    await refused(t, server, {}, 'FST_CLUSTER_ACCESS_DENIED')
    await refused(t, server, { username: 'fwr', password: 'wrong' }, 'FST_CLUSTER_ACCESS_DENIED')
    await refused(
      t,
      server,
      { username: 'fwr', password: 'secret', prefix: 'other' },
      'FST_CLUSTER_ACCESS_DENIED'
    )
    for (const command of [
      '+publish',
      '+subscribe',
      '+pubsub|numsub',
      '+eval',
      '+hset',
      '+hmget',
      '+incr',
      '+del'
    ]) {
      const less = await restricted(t, (rule) => rule.replace(` ${command}`, ''))
      await refused(t, less, { username: 'fwr', password: 'secret' }, 'FST_CLUSTER_ACCESS_DENIED')
    }
  }
)

t.test('rejects a subscription without permission', { skip }, async (t) => {
  const server = await restricted(t)
  const { transport } = redis({ url: `redis://fwr:secret@127.0.0.1:${server.port}` })
  t.teardown(() => transport.close())
  await transport.open(silent)
  await t.rejects(transport.subscribe('other.x', () => {}), { code: 'FST_CLUSTER_ACCESS_DENIED' })
})

t.test('rejects a Redis Cluster', { skip }, async (t) => {
  await refused(
    t,
    await redisServer(t, ['--appendonly', 'no', '--cluster-enabled', 'yes']),
    {},
    'FST_CLUSTER_UNSUPPORTED'
  )
})

/** Resolves when the replica has all written data. */
async function copied ({ port }: EngineServer): Promise<void> {
  const client = new Redis(port, '127.0.0.1')
  await client.set('last', 1)
  await client.wait(1, 0)
  client.disconnect()
}

t.test('detects failures that take seconds', { skip, jobs: 3 }, async (t) => {
  t.test(
    'leaves no socket after close when a server or a Sentinel never answers',
    { buffered: true },
    async (t) => {
      const one = async (options: (port: number) => RedisOptions): Promise<void> => {
        const server = await silentServer(t)
        const { transport } = redis(options(server.port))
        const connection = server.connection()
        const opening = t.rejects(transport.open(silent), { code: 'FST_CLUSTER_UNAVAILABLE' })
        const ended = once(await connection, 'close')
        await transport.close()
        await Promise.all([opening, ended])
      }
      await Promise.all([
        one((port) => ({ host: '127.0.0.1', port })),
        one((port) => ({ host: '127.0.0.1', port, tls: {} })),
        one((port) => ({ sentinels: [{ host: '127.0.0.1', port }], name: 'mymaster' }))
      ])
    }
  )

  t.test('skips a Sentinel that is down', { buffered: true }, async (t) => {
    const server = await redisServer(t)
    const sentinel = await redisSentinel(t, server.port)
    const away = await silentServer(t)
    const { transport } = redis({
      sentinels: [away, sentinel].map(({ port }) => ({ host: '127.0.0.1', port })),
      name: 'mymaster'
    })
    t.teardown(() => transport.close())
    await transport.open(silent)
    t.ok(await transport.cas('fwr.k', new Uint8Array(1), 0) > 0)
  })

  t.test('finds the replica and its data when the master dies', { buffered: true }, async (t) => {
    const master = await redisServer(t)
    await redisReplica(t, master.port)
    const sentinel = await redisSentinel(t, master.port)
    const { transport } = redis({
      sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
      name: 'mymaster'
    })
    t.teardown(() => transport.close())
    const news = new EventEmitter()
    await transport.open({ state: (up) => { news.emit(String(up)) } })
    const revision = await transport.cas('fwr.k', Buffer.from('kept'), 0)
    await copied(master)
    const back = once(news, 'true')
    await Promise.all([once(news, 'false'), master.kill()])
    await back
    t.match(await transport.get('fwr.k'), { value: Buffer.from('kept'), revision })
    t.ok(
      (await transport.cas('fwr.k', Buffer.from('more'), revision)) > revision,
      'the new master takes writes'
    )
  })
})

t.test('throws when an option is invalid, without showing a password', async (t) => {
  t.throws(() => redis({ url: 5 as unknown as string }), { code: 'FST_CLUSTER_INVALID_OPTIONS' })
  try {
    redis({ url: 'http://fwr:secret@x' })
    t.fail('it was taken')
  } catch (error) {
    t.match(error, { code: 'FST_CLUSTER_INVALID_OPTIONS' })
    t.notMatch(String(error), /secret/)
  }
  t.throws(() => redis({ url: 'redis://fwr:secret@x:port' }), {
    code: 'FST_CLUSTER_INVALID_OPTIONS',
    message: /^(?!.*secret).*'url' must be a URL that begins with redis:\/\/ or rediss:\/\//
  })
  t.equal(redis().prefix, 'fwr')
})

t.test('throws for reserved options of the client, also in a URL', async (t) => {
  const refused = {
    code: 'FST_CLUSTER_INVALID_OPTIONS',
    message: /'enableOfflineQueue' is not left to the client/
  }
  t.throws(() => redis({ enableOfflineQueue: true } as object), refused)
  t.throws(() => redis({ url: 'redis://fwr:secret@x/1?family=6&enableOfflineQueue=true' }), refused)
  t.throws(
    () => redis({ url: 'rediss://x?%65nableOfflineQueue=true' }),
    refused,
    'however it is written'
  )
  t.equal(redis({ url: 'redis://x/1?family=6&connectionName=fwr', noDelay: true }).prefix, 'fwr')
})
