// A room whose members get the same bytes, with the native sender if this process may use it.
import t from 'tap'
import { once } from 'node:events'
import { build, listen, open } from '../../helpers.js'
import { nativeLoaded } from '../../../lib/websocket/native.js'
import type { Pid } from '../../../types/pid.js'

t.test('sends each member of a room all frames, also after others have left', async (t) => {
  const app = await build(t)
  const { sendMany } = await nativeLoaded
  t.equal(app.processes.stats().connections.nativeSender, sendMany !== undefined)
  const members = new Set<Pid>()
  const room = app.processes.spawn((self) => self.serve({
    'ws.join': ({ client_pid }) => { members.add(client_pid) },
    'ws.leave': ({ client_pid }) => { members.delete(client_pid) },
    'ws.message': ({ data }) => {
      for (const pid of members) self.send(pid, 'ws.send', { data })
    }
  }))
  app.get('/', (_, reply) => { reply.relay(room).send() })
  const port = await listen(app)
  const received: string[][] = []
  const clients = []
  for (let i = 0; i < 20; i++) {
    const client = await open(t, `ws://127.0.0.1:${port}/`)
    const texts: string[] = []
    received.push(texts)
    client.on('message', (data) => { texts.push(String(data)) })
    clients.push(client)
  }
  const expected: string[] = []
  for (let round = 0; round < 10; round++) {
    const text = `${round} ${'x'.repeat(round ** 4)}`
    expected.push(text)
    const last = clients.at(-1)!
    const arrived = once(last, 'message')
    clients[0].send(text)
    await arrived
    if (round % 3 === 2) {
      clients.pop()!.terminate()
      received.pop()
    }
  }
  const pong = clients.map((client) => once(client, 'pong'))
  for (const client of clients) client.ping()
  await Promise.all(pong)
  for (const texts of received) t.strictSame(texts, expected)
})
