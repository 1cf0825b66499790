// What a node that cannot join its cluster tells: a coded error in time, or a clear state, and never a hang.
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

/** A node that does not join. What it was told is told again, nothing can be spawned, and it ends. */
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
  t.test(`starting on ${name}`, { skip: engine.skip, jobs: 4 }, async (t) => {
    t.test('an engine that is not there in time', { buffered: true }, async (t) => {
      const server = await engine.start(t)
      await server.kill()
      await refused(t, engine.connect(server.port, { startTimeout: 300 }), {
        code: 'FST_CLUSTER_UNAVAILABLE',
        message: /did not answer within 300 ms/
      })
    })

    t.test('an engine that accepts connections and says nothing', { buffered: true }, async (t) => {
      const { port } = await silentServer(t)
      await refused(t, engine.connect(port, { startTimeout: 300 }), {
        code: 'FST_CLUSTER_UNAVAILABLE',
        message: /did not answer within 300 ms/
      })
    })

    t.test('an engine that comes later', { buffered: true }, async (t) => {
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

    t.test('a node that is closed before the engine is there', { buffered: true }, async (t) => {
      const server = await engine.start(t)
      await server.kill()
      const system = node(t, 'a', engine.connect(server.port, { startTimeout: '60s' }))
      const outcome = t.rejects(system.ready(), { code: 'FST_PROCESS_CLOSING' })
      await system.close()
      await outcome
    })

    t.test('a wrong prefix is another cluster', { buffered: true }, async (t) => {
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
      t.strictSame(other.cluster!.health(), { ready: true }, 'the same name is no other one there')
      const stranger = other.spawn(async (self) => { await self.serve({}) })
      t.notOk(a.send(stranger, 'hello'))
      // Of a node that nobody has heard of nobody knows whether it is.
      t.match((await a.exited(stranger)).reason, /noconnection|noproc/)
      t.strictSame(
        a.cluster!.stats().garbage + b.cluster!.stats().garbage + other.cluster!.stats().garbage,
        0
      )
    })

    t.test('a prefix that no engine can have', { buffered: true }, async (t) => {
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
  'credentials that are wrong',
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

t.test('a nats-server without JetStream', { skip: engines.nats.skip }, async (t) => {
  const { port } = await natsServer(t, [])
  await refused(t, engines.nats.connect(port), {
    code: 'FST_CLUSTER_UNSUPPORTED',
    message: /JetStream/
  })
})

t.test(
  'a server of the other engine',
  { skip: engines.nats.skip || engines.redis.skip, jobs: 2 },
  async (t) => {
    t.test('redis instead of nats', { buffered: true }, async (t) => {
      const { port } = await redisServer(t)
      await refused(t, engines.nats.connect(port, { startTimeout: 500 }), {
        code: 'FST_CLUSTER_UNAVAILABLE'
      })
    })
    t.test('nats instead of redis', { buffered: true }, async (t) => {
      const { port } = await natsServer(t)
      await refused(t, engines.redis.connect(port, { startTimeout: 500 }), {
        code: 'FST_CLUSTER_UNAVAILABLE'
      })
    })
  }
)
