// Plays the example of the protocol in docs/resume.md.
import t from 'tap'
import { build, listen, record, until } from '../helpers.js'
import { openWire, reset } from '../integration/resume/wire-client.js'
import { frameOf } from '../client-frames.js'
import { snippet } from './snippets.js'
import type { WireSocket } from '../integration/resume/wire-client.js'

const header = 'Sec-WebSocket-Protocol: '

t.test('the example of docs/resume.md is what a server does', async (t) => {
  const lines = (await snippet('docs/resume.md', 'Write a client', 'text')).trim().split('\n')
  const app = await build(t, { resume: true })
  const target = record(app)
  const answers: Record<string, string> = { hello: 'you are in', 'are you there?': 'news' }
  const room = app.processes.spawn((self) => self.serve({
    'ws.message': ({ client_pid: pid, data }) => {
      self.send(target.pid, 'taken', data)
      // The client is away when it is sent.
      if (data !== 'hello') reset(wire!.socket)
      self.send(pid, 'ws.send', { data: answers[String(data)] })
    }
  }))
  app.get('/ws', (request, reply) => {
    reply.header('sec-websocket-protocol', 'chat').relay(room).send()
  })
  const port = await listen(app)
  const tokens: Record<string, string> = {}
  let wire: WireSocket | undefined
  let read = 0
  let acks = 0
  for (const line of lines) {
    const [who, text] = [line.slice(0, 3), line.slice(3)]
    if (who === 'C: ' && text.startsWith(header)) {
      const offer = text.slice(header.length).replace(/T\d/, (name) => tokens[name]).split(', ')
      wire = await openWire(t, { port }, offer)
      read = acks = 0
    } else if (who === 'S: ' && text.startsWith(header)) {
      t.equal(wire!.header('sec-websocket-protocol'), text.slice(header.length))
    } else if (who === 'S: ' && text.startsWith('00h')) {
      const { token: name, ...expected } = JSON.parse(text.slice(3))
      const { token, ...hello } = wire!.hello!
      t.same(hello, expected)
      tokens[name] = token!
    } else if (who === 'S: ' && text.startsWith('00a')) {
      await wire!.until(() => wire!.acks.length > acks)
      t.equal(wire!.acks[acks++], Number(text.slice(3)))
    } else if (who === 'S: ') {
      await wire!.until(() => wire!.data.length > read)
      t.equal(wire!.data[read++], text)
    } else if (who === 'C: ') {
      wire!.write(frameOf(1, text.replace(/^00/, '\u0000'), { mask: 7 }))
    } else await until(() => target.received.length === 2 && !wire!.isOpen)
  }
  t.same(Object.keys(tokens), ['T1', 'T2'])
  t.equal(target.received.length, 2, 'each message once')
})
