import t from 'tap'
import { build, listen, record, until } from '../../helpers.js'
import { WireClient } from './wire-client.js'

t.test('resumes with the same PID and every message once, in both directions', async (t) => {
  const app = await build(t, { resume: true })
  const target = record(app)
  app.get('/ws', (request, reply) => { reply.relay(target.pid).send() })
  const port = await listen(app)

  const client = new WireClient(t, { port })
  const first = await client.connect()
  t.equal(first.header('sec-websocket-protocol'), 'v1.ws-relay')
  t.match(first.hello, {
    v: 1, window: 60_000, from: 1, received: 0, resumed: false, protocol: ''
  })
  const { client_pid: pid } = await target.next('ws.join')
  client.send('a')
  await client.until(() => client.received.length === 1)
  await client.cut()
  await until(() => app.processes.info(pid)?.connected === false)
  app.processes.send(pid, 'ws.send', { data: 'while away' })
  const second = await client.connect()
  t.match(second.hello, { from: 2, received: 1, resumed: true })
  client.send('b')
  await client.until(() => client.received.length === 3)
  t.same(client.received, ['a', 'while away', 'b'])
  t.equal(app.processes.info(pid)?.connected, true)
  t.same(target.received.map(({ topic, payload }) => [topic, payload.client_pid, payload.data]), [
    ['ws.join', pid, undefined], ['ws.message', pid, 'a'], ['ws.message', pid, 'b']
  ])
})
