// A room on one node and many sockets on another, on real engines: no message is lost.
import { once } from 'node:events'
import t from 'tap'
import { WebSocket } from 'ws'
import { createProcesses } from '../../lib/process/index.js'
import { nats } from '../../lib/cluster/engines/nats.js'
import { redis } from '../../lib/cluster/engines/redis.js'
import { build, listen, until } from '../helpers.js'
import { missing, natsServer, redisServer } from './fixtures/servers.js'
import type { Test } from 'tap'
import type { Pid } from '../../types/pid.js'
import type { Process } from '../../types/processes.js'

const clients = 200
const messages = 1000

/** A client that reads numbers: the next number that it expects, and whether one was missing. */
interface Reader { next: number, isBroken: boolean, end: string | undefined }

const engines = {
  nats: async (t: Test) => {
    const { port } = await natsServer(t)
    return () => nats({ servers: `127.0.0.1:${port}` })
  },
  redis: async (t: Test) => {
    const { port } = await redisServer(t)
    return () => redis({ host: '127.0.0.1', port })
  }
}

for (const engine of ['nats', 'redis'] as const) {
  const title = `delivers ${messages} messages of a remote room to ${clients} clients: ${engine}`
  t.test(title, { skip: missing(`${engine}-server`) }, async (t) => {
    const join = await engines[engine](t)
    const app = await build(t, { node: 'a', cluster: join() })
    const there = createProcesses({ node: 'b', cluster: join() })
    t.teardown(() => there.close())
    await there.ready()
    await until(() =>
      [app.processes, there].every(({ cluster }) =>
        cluster!.nodes().some(({ state }) => state === 'up')
      )
    )

    let refused = 0
    const members = new Set<Pid>()
    const room = there.spawn(async (self: Process<{ burst: undefined }>) => {
      await self.serve({
        'ws.join': ({ client_pid }) => { members.add(client_pid) },
        burst: () => {
          for (let i = 0; i < messages; i++) {
            for (const pid of members) {
              if (!self.send(pid, 'ws.send', { data: String(i) })) refused++
            }
          }
        }
      })
    })
    app.get('/', (_, reply) => { reply.relay(room).send() })
    const port = await listen(app)
    const readers = await Promise.all(Array.from({ length: clients }, async () => {
      const reader: Reader = { next: 0, isBroken: false, end: undefined }
      const socket = new WebSocket(`ws://127.0.0.1:${port}/`)
      t.teardown(() => { socket.terminate() })
      socket.on('message', (data) => {
        if (Number(data) === reader.next) reader.next++
        else reader.isBroken = true
      })
      socket.on('close', (code, reason) => { reader.end = `${code} ${String(reason)}` })
      await once(socket, 'open')
      return reader
    }))
    await until(() => members.size === clients)
    const { framesOut } = there.cluster!.stats()
    there.send(room, 'burst')
    await until(() =>
      readers.every(({ next, isBroken, end }) => next === messages || isBroken || end !== undefined)
    )
    t.strictSame(readers.filter(({ next }) => next !== messages), [], 'nothing is missing')
    t.equal(refused, 0)
    t.strictSame(app.processes.stats().refused, 0)
    const frames = there.cluster!.stats().framesOut - framesOut
    t.ok(frames < 2 * messages, `${frames} frames for all clients together`)
  })
}
