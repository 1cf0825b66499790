// A node that cannot join its cluster fails with a coded error in time. It never hangs.
import t, { type Test } from 'tap'
import { natsServer, redisServer, silentServer, type EngineServer } from '../fixtures/servers.js'
import { missing } from '../../installed.js'
import { until } from '../../helpers.js'
import { nats } from '../../../lib/cluster/engines/nats.js'
import { redis } from '../../../lib/cluster/engines/redis.js'
import { createProcesses } from '../../../lib/process/index.js'
import type { ClusterEngine, ClusterEngineOptions } from '../../../types/cluster.js'
import type { ProcessSystem } from '../../../types/processes.js'

/** An engine that nodes start with. */
interface Engine {
  readonly skip: string | false
  start(t: Test): Promise<EngineServer>
  connect(
    port: number,
    options?: ClusterEngineOptions & { user?: string, pass?: string }
  ): ClusterEngine
}

const engines: Record<string, Engine> = {
  nats: {
    skip: missing('nats-server'),
    start: async (t) => await natsServer(t),
    connect: (port, options) => nats({ servers: `127.0.0.1:${port}`, ...options })
  },
  redis: {
    skip: missing('redis-server'),
    start: async (t) => await redisServer(t),
    connect: (port, { user, pass, ...options } = {}) =>
      redis({
        host: '127.0.0.1',
        port,
        ...(user && { username: user, password: pass }),
        ...options
      })
  }
}

function node (t: Test, name: string, cluster: ClusterEngine): ProcessSystem {
  const system = createProcesses({ node: name, cluster, closeTimeout: 20 })
  t.teardown(() => system.close())
  return system
}

/** Asserts that a node does not join: `ready()` rejects each time, and `spawn` throws. */
async function refused (
  t: Test,
  cluster: ClusterEngine,
  error: { code: string, message?: RegExp }
): Promise<void> {
  const system = node(t, 'a', cluster)
  await t.rejects(system.ready(), error)
  await t.rejects(system.ready(), error)
  t.throws(() => system.spawn(() => {}), { code: 'FST_CLUSTER_NOT_READY' })
  t.equal(system.cluster, undefined)
  await system.close()
}

for (const [name, engine] of Object.entries(engines)) {
  t.test(`a node that starts with ${name}`, { skip: engine.skip, jobs: 4 }, async (t) => {
    t.test('fails to start when the engine is away for too long', { buffered: true }, async (t) => {
      const server = await engine.start(t)
      await server.kill()
      await refused(t, engine.connect(server.port, { startTimeout: 300 }), {
        code: 'FST_CLUSTER_UNAVAILABLE',
        message: /at 127\.0\.0\.1:\d+ did not answer within 300 ms/
      })
    })

    t.test('fails to start when the engine never answers', { buffered: true }, async (t) => {
      const { port } = await silentServer(t)
      await refused(t, engine.connect(port, { startTimeout: 300 }), {
        code: 'FST_CLUSTER_UNAVAILABLE',
        message: /at 127\.0\.0\.1:\d+ did not answer within 300 ms/
      })
    })

    t.test('joins when the engine is started later', { buffered: true }, async (t) => {
      const server = await engine.start(t)
      await server.kill()
      const system = node(t, 'a', engine.connect(server.port, { startTimeout: '60s' }))
      const ready = system.ready()
      t.throws(() => system.spawn(() => {}), { code: 'FST_CLUSTER_NOT_READY' })
      await server.restart()
      await ready
      t.strictSame(system.cluster!.health(), { ready: true })
      t.ok(system.spawn(() => {}))
    })

    t.test('rejects ready() when it is closed first', { buffered: true }, async (t) => {
      const server = await engine.start(t)
      await server.kill()
      const system = node(t, 'a', engine.connect(server.port, { startTimeout: '60s' }))
      const outcome = t.rejects(system.ready(), { code: 'FST_PROCESS_CLOSING' })
      await system.close()
      await outcome
    })

    t.test('joins another cluster when its prefix differs', { buffered: true }, async (t) => {
      const { port } = await engine.start(t)
      const [a, other, b] = [
        node(t, 'a', engine.connect(port)),
        node(t, 'b', engine.connect(port, { prefix: 'other' })),
        node(t, 'b', engine.connect(port))
      ]
      for (const system of [a, other, b]) await system.ready()
      await until(() => a.cluster!.nodes().length > 0 && b.cluster!.nodes().length > 0)
      t.match(
        [a, b, other].map((system) =>
          system.cluster!.nodes().map(({ node, state }) => `${node} ${state}`)
        ),
        [['b up'], ['a up'], []]
      )
      t.strictSame(other.cluster!.health(), { ready: true }, 'the same node name is no conflict')
      const stranger = other.spawn(async (self) => { await self.serve({}) })
      t.notOk(a.send(stranger, 'hello'))
      // The reason depends on which of the two nodes `b` has the higher incarnation.
      t.match((await a.exited(stranger)).reason, /noconnection|noproc/)
      t.strictSame(
        a.cluster!.stats().garbage + b.cluster!.stats().garbage + other.cluster!.stats().garbage,
        0
      )
    })

    t.test('rejects a prefix that is not valid for every engine', { buffered: true }, async (t) => {
      for (const prefix of ['', 'a.b', 'a b', '*', 'x'.repeat(33)]) {
        t.throws(
          () => engine.connect(1, { prefix }),
          { code: 'FST_CLUSTER_INVALID_OPTIONS' },
          prefix
        )
      }
    })
  })
}

t.test(
  'a node fails to start when its credentials are wrong',
  { skip: engines.nats.skip || engines.redis.skip },
  async (t) => {
    const ofNats = await natsServer(t, ['-js', '--user', 'fwr', '--pass', 'secret'])
    const ofRedis = await redisServer(t, ['--requirepass', 'secret'])
    for (const options of [{}, { user: 'fwr', pass: 'wrong' }]) {
      await refused(t, engines.nats.connect(ofNats.port, options), {
        code: 'FST_CLUSTER_ACCESS_DENIED'
      })
      await refused(t, engines.redis.connect(ofRedis.port, options), {
        code: 'FST_CLUSTER_ACCESS_DENIED'
      })
    }
  }
)

t.test('a node fails to start without JetStream', { skip: engines.nats.skip }, async (t) => {
  const { port } = await natsServer(t, [])
  await refused(t, engines.nats.connect(port), {
    code: 'FST_CLUSTER_UNSUPPORTED',
    message: /JetStream/
  })
})

t.test(
  'a node fails to start when the server is one of the other engine',
  { skip: engines.nats.skip || engines.redis.skip, jobs: 2 },
  async (t) => {
    t.test('NATS is expected, and Redis answers', { buffered: true }, async (t) => {
      const { port } = await redisServer(t)
      await refused(t, engines.nats.connect(port, { startTimeout: 500 }), {
        code: 'FST_CLUSTER_UNAVAILABLE'
      })
    })
    t.test('Redis is expected, and NATS answers', { buffered: true }, async (t) => {
      const { port } = await natsServer(t)
      await refused(t, engines.redis.connect(port, { startTimeout: 500 }), {
        code: 'FST_CLUSTER_UNAVAILABLE'
      })
    })
  }
)
