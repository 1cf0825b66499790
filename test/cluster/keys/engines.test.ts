// Processes with keys on three nodes, with real engines.
import t from 'tap'
import { createProcesses } from '../../../lib/process/index.js'
import { nats } from '../../../lib/cluster/engines/nats.js'
import { redis } from '../../../lib/cluster/engines/redis.js'
import { until } from '../../helpers.js'
import { missing, natsServer, redisServer } from '../fixtures/servers.js'
import type { Call, Pid } from '../../../types/pid.js'
import type { Process } from '../../../types/processes.js'

interface Topics { ask: Call<undefined, Pid>, crash: undefined }

// The names of a new register are free after 14 s.
t.setTimeout(120_000)

for (const engine of ['nats', 'redis'] as const) {
  t.test(`has one process for a key on three nodes, with ${engine}`, {
    skip: missing(`${engine}-server`)
  }, async (t) => {
    const server = engine === 'nats' ? await natsServer(t) : await redisServer(t)
    const started: string[] = []
    const nodes = await Promise.all(['a', 'b', 'c'].map(async (node) => {
      const cluster = engine === 'nats'
        ? nats({ servers: `127.0.0.1:${server.port}` })
        : redis({ port: server.port })
      const processes = createProcesses({ node, cluster, closeTimeout: 100 })
      t.teardown(() => processes.close())
      const rooms = processes.keyed('room', {
        place: 'spread',
        start: async (self: Process<Topics>, key: string) => {
          started.push(`${key} ${node}`)
          await self.serve({
            ask: (_, { reply }) => { reply(self.pid) },
            crash: () => { throw new Error('boom') }
          })
        }
      })
      await processes.ready()
      return { processes, rooms }
    }))
    await until(() => nodes.every(({ processes }) => {
      return processes.cluster!.nodes().filter(({ state }) => state === 'up').length === 2
    }))
    // The first names are granted when the register is old enough.
    const [{ rooms }] = nodes
    await until(async () => await rooms.get('first').then(() => true, () => false))

    const asked = Array.from({ length: 334 }, () => {
      return nodes.map((node) => node.processes.call(node.rooms.key('lobby'), 'ask'))
    })
    const pids = new Set(await Promise.all(asked.flat()))
    t.equal(pids.size, 1)
    t.equal(started.filter((line) => line.startsWith('lobby')).length, 1)

    const [pid] = pids
    for (const node of nodes) t.equal(await node.rooms.get('lobby'), pid)
    nodes[1].processes.send(nodes[1].rooms.key('lobby'), 'crash')
    await until(() => nodes.every((node) => node.rooms.peek('lobby') === undefined))
    const next = await nodes[2].rooms.get('lobby')
    t.not(next, pid)
    for (const node of nodes) t.equal(await node.rooms.get('lobby'), next)

    const many = Array.from({ length: 50 }, (_, i) => `k${i}`)
    const found = await Promise.all(nodes.map(async (node) => {
      return await Promise.all(many.map((key) => node.rooms.get(key)))
    }))
    t.same(found[1], found[0])
    t.same(found[2], found[0])
    const homes = new Set(found[0].map((pid) => pid.slice(pid.indexOf('@'))))
    t.equal(homes.size, 3, 'on all nodes')

    await server.kill()
    await server.restart()
    for (const node of nodes) {
      t.equal(await node.processes.call(node.rooms.key('k0'), 'ask', undefined, {
        timeout: '30s'
      }), found[0][0], 'it outlives an engine that is away for a while')
    }
    await Promise.all(many.map((key) => nodes[0].rooms.stop(key)))
    for (const node of nodes) t.notOk(node.rooms.list().some((key) => many.includes(key)))
  })
}
