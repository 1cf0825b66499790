// The client of the package and the server, over real sockets that are cut after any byte.
import t from 'tap'
import WebSocket from 'ws'
import { connect } from '../../../lib/client/index.js'
import { build, listen } from '../../helpers.js'
import { Cutter } from './cutter.js'
import type { Pid } from '../../../types/pid.js'

t.test('gets every message once over sockets that are cut after any byte', async (t) => {
  const app = await build(t, { resume: true })
  const joins: Pid[] = []
  const atTarget: string[] = []
  const total = 300
  const target = app.processes.spawn((self) => self.serve({
    'ws.join': ({ client_pid: pid }) => { joins.push(pid) },
    'ws.message': ({ client_pid: pid, data }) => {
      atTarget.push(String(data))
      self.send(pid, 'ws.send', { data: `echo ${String(data)}` })
    }
  }))
  app.get('/ws', (request, reply) => { reply.relay(target).send() })
  const cutter = await Cutter.to(t, await listen(app))
  const socket = connect(`ws://127.0.0.1:${cutter.port}/ws`, {
    WebSocket: WebSocket as never, backoff: { min: 1, max: 5 }
  })
  t.teardown(() => { socket.close() })
  const resets: unknown[] = []
  socket.on('reset', (event) => resets.push(event))
  const atClient: string[] = []
  await new Promise<void>((resolve) => {
    let next = 0
    const sendTen = (): void => {
      // Another place of a frame, of a head or of a hello each time.
      if (next > 0) cutter.cutAfter(20 + next % 130)
      for (const end = next + 10; next < end; next++) socket.send(String(next))
    }
    socket.on('message', (data) => {
      atClient.push(String(data))
      if (atClient.length === total) resolve()
      else if (atClient.length === next) sendTen()
    })
    sendTen()
  })
  await socket.delivered()
  const sent = Array.from({ length: total }, (_, i) => String(i))
  t.same(atTarget, sent)
  t.same(atClient, sent.map((text) => `echo ${text}`))
  t.same(resets, [])
  t.equal(joins.length, 1, 'the same PID')
  t.ok(cutter.count > 10, `${cutter.count} sockets`)
})
