// Receivers of one broadcast may have different wire formats.
import t from 'tap'
import { Rig, WebSocketClient } from './clients.js'
import { MemoryEncoder, MemoryTransport } from './memory-transport.js'

const room = 'room'

/** A group of four clients of each of three encoders, which joined in turns. */
async function crowd () {
  const rig = new Rig()
  const encoders = [new MemoryEncoder('1:'), new MemoryEncoder('2:')]
  const target = rig.target()
  const framed: WebSocketClient[] = []
  const marked: MemoryTransport[][] = encoders.map(() => [])
  for (let i = 0; i < 4; i++) {
    const client = new WebSocketClient(rig)
    framed.push(client)
    const transports = encoders.map((encoder, at) => {
      const transport = new MemoryTransport(rig.clock, 50, encoder)
      marked[at].push(transport)
      return transport
    })
    for (const transport of [client.transport, ...transports]) {
      rig.processes.groups.join(room, rig.connect(target, transport).pid)
    }
  }
  await rig.settle()
  return { rig, encoders, framed, marked }
}

t.test('sends each receiver of a broadcast its own encoding, and makes each once', async (t) => {
  const { rig, encoders, framed, marked } = await crowd()
  const { encoder } = rig.relay.flusher
  t.equal(rig.processes.groups.broadcast(room, 'ws.send', { data: 'hello' }), 12)
  t.equal(encoder.encodedTexts, 1)
  t.strictSame(encoders.map(({ encodings }) => encodings), [1, 1])
  t.equal(rig.processes.groups.broadcast(room, 'notice', [1]), 12)
  t.strictSame(encoders.map(({ encodings }) => encodings), [2, 2])
  await rig.settle()
  for (const { texts } of framed) t.strictSame(texts, ['hello', '{"topic":"notice","data":[1]}'])
  for (const [at, transports] of marked.entries()) {
    for (const { received } of transports) {
      const mark = `t${at + 1}:`
      t.strictSame(received, [`${mark}hello`, `${mark}{"topic":"notice","data":[1]}`])
    }
  }
})

t.test('refuses a malformed broadcast for the receivers of all encoders', async (t) => {
  const { rig, encoders } = await crowd()
  const payload = { data: 5 as unknown as string }
  t.equal(rig.processes.groups.broadcast(room, 'ws.send', payload), 0)
  t.equal(rig.processes.stats().refused, 12)
  t.strictSame(encoders.map(({ encodings }) => encodings), [0, 0])
})
