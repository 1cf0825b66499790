import { EventEmitter } from 'node:events'
import { Redis, type RedisOptions } from 'ioredis'
import t, { type Test } from 'tap'
import { fillsUp } from '../flow.js'
import { redisServer, type EngineServer } from '../../fixtures/servers.js'
import { missing } from '../../../installed.js'
import { nodeClock } from '../../../../lib/shared/clock.js'
import type { Session } from '../../../../lib/cluster/engines/session/session.js'
import { dialRedis, type RedisClient } from '../../../../lib/cluster/engines/redis/redis-session.js'

const skip = missing('redis-server')

async function dial (t: Test, server: EngineServer): Promise<Session> {
  const session = await dialRedis(
    undefined,
    { host: '127.0.0.1', port: server.port },
    'fwr',
    async () => ({ Redis })
  )(() => {}, new AbortController().signal, nodeClock)
  t.teardown(() => session.close())
  return session
}

t.test('accepts at most 16 MiB until the server has read them', { skip }, async (t) => {
  await fillsUp(t, await dial(t, await redisServer(t)))
})

t.test('is lost when its server dies, and rejects pending requests', { skip }, async (t) => {
  const server = await redisServer(t)
  const session = await dial(t, server)
  await Promise.all([server.kill(), session.lost])
  await t.rejects(session.flush())
  await t.rejects(session.get('k'))
})

t.test('opens no socket when the dial was aborted', async (t) => {
  const none = {
    Redis: class {
      constructor () {
        t.fail('it was opened')
      }
    }
  } as unknown as RedisClient
  await t.rejects(
    dialRedis(undefined, {}, 'fwr', async () => none)(() => {}, AbortSignal.abort(), nodeClock),
    { name: 'AbortError' }
  )
})

t.test('asks another Sentinel first with each dial, and each one once', async (t) => {
  const asked: unknown[] = []
  class Client extends EventEmitter {
    constructor (options: RedisOptions) {
      super()
      asked.push(options.sentinels?.map(({ port }) => port))
      t.equal(options.sentinelRetryStrategy?.(1), null)
    }

    async connect (): Promise<void> { throw new Error('none is there') }
    disconnect (): void { this.emit('end') }
  }
  const sentinels = [1, 2, 3].map((port) => ({ host: '127.0.0.1', port }))
  const again = dialRedis(
    undefined,
    { sentinels, name: 'mymaster' },
    'fwr',
    async () => ({ Redis: Client }) as unknown as RedisClient
  )
  for (let n = 0; n < 4; n++) {
    await t.rejects(
      again(() => {}, new AbortController().signal, nodeClock),
      { message: 'none is there' }
    )
  }
  t.strictSame(
    asked.filter((_, n) => n % 2 === 0),
    [
      [1, 2, 3],
      [2, 3, 1],
      [3, 1, 2],
      [1, 2, 3]
    ],
    'two connections each'
  )
})
