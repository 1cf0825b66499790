// A client that does not offer the protocol of docs/resume.md notices nothing of the option.
import t from 'tap'
import { opcodes } from '../../../lib/websocket/frames.js'
import { closeOf, frameOf, textOf } from '../../client-frames.js'
import { build, handshake, listen, raw } from '../../helpers.js'
import type { Test } from 'tap'
import type { WsRelayOptions } from '../../../types/relay.js'

/** Each step is a frame of the client, and what its answer ends with, as latin1. */
const steps: ReadonlyArray<readonly [Buffer, string]> = [
  [textOf('hello'), 'hello'],
  [textOf(''), '\x81\x00'],
  [textOf('\u0000a1'), '\u0000a1'],
  [textOf('\u0000\u0000p'), '\u0000\u0000p'],
  [textOf('\u0000h{}'), '\u0000h{}'],
  [frameOf(opcodes.binary, Buffer.from([0, 0x61, 0xff]), { mask: 7 }), '\x82\x03\x00\x61\xff'],
  [frameOf(opcodes.ping, 'still there?', { mask: 9 }), 'still there?'],
  [textOf('x'.repeat(70_000)), 'x'.repeat(70_000)]
]

/** Everything that the server writes to a plain client in this history, with the 101. */
async function bytesOf (
  t: Test, options: WsRelayOptions, protocol: string | undefined, last: Buffer
): Promise<string> {
  const app = await build(t, options)
  const target = app.processes.spawn((self) => self.serve({}, (message: any) => {
    const { topic, payload: { client_pid: client, data } } = message
    if (topic !== 'ws.message') return
    if (data === 'end') self.send(client, 'ws.close', { code: 4001, reason: 'enough' })
    else self.send(client, 'ws.send', { data })
  }))
  app.get('/ws', (_request, reply) => { reply.relay(target).send() })
  const client = await raw(t, await listen(app), true)
  client.write(handshake('/ws', { 'sec-websocket-protocol': protocol }))
  await client.until(/\r\n\r\n/)
  for (const [frame, answer] of steps) {
    const before = client.text.length
    client.write(frame)
    while (!client.text.slice(before).endsWith(answer)) {
      await new Promise((resolve) => { client.socket.once('data', resolve) })
    }
  }
  client.write(last)
  await client.until(/\x88/)
  client.write(closeOf(4001))
  client.socket.end()
  return await client.end()
}

for (const [name, last] of [
  ['the client closes', closeOf(1000)],
  ['its process closes', textOf('end')],
  ['the client breaks the protocol', frameOf(3, '', { mask: 1 })]
] as const) {
  for (const protocol of [undefined, 'chat, v2.chat']) {
    const offered = protocol === undefined ? 'no protocols' : 'protocols of its own'
    t.test(`sends the same bytes with and without \`resume\` when ${name}, and a plain client ` +
      `offered ${offered}`, async (t) => {
      const without = await bytesOf(t, { resume: false }, protocol, last)
      const resume = { window: 1000, buffer: 10, notify: true, owner: () => 'somebody' }
      t.equal(await bytesOf(t, { resume }, protocol, last), without)
      t.match(without, /^HTTP\/1\.1 101 /)
    })
  }
}
