// The built client: one small file without imports, which runs like its sources.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import WebSocket, { WebSocketServer } from 'ws'
import { root } from '../program.js'
import type { connect as Connect } from '../../lib/client/index.js'

/** Bytes of the minified file after gzip. */
const limit = 4000

interface Build {
  bundleClient (): Promise<Uint8Array>
}

const { bundleClient } = await import(
  pathToFileURL(join(root, 'scripts/build-client.mjs')).href
) as Build
const code = await bundleClient()

t.test(`has at most ${limit} bytes after gzip`, async (t) => {
  const { length } = gzipSync(code, { level: 9 })
  t.ok(length <= limit, `${length} bytes`)
})

t.test('imports nothing, and exports `connect` only', async (t) => {
  const text = Buffer.from(code).toString()
  t.notMatch(text, /\bimport\b|\brequire\b/)
  t.match(text, /export\{\w+ as connect\}/)
})

t.test('runs as it is built', async (t) => {
  const url = `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`
  const { connect } = await import(url) as { connect: typeof Connect }
  // A small server of the protocol: it acknowledges, and answers with a topic.
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.teardown(() => { server.close() })
  server.on('connection', (socket) => {
    const hello = {
      v: 1, token: 'n.i.1.t', window: 60000, from: 1, received: 0, resumed: false, protocol: 'chat'
    }
    socket.send(`\0h${JSON.stringify(hello)}`)
    socket.on('message', (data) => {
      const text = String(data)
      if (text === '\0p') socket.send('\0a1')
      else if (text[0] !== '\0') socket.send(JSON.stringify({ topic: 'said', data: text }))
    })
  })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect(`ws://127.0.0.1:${port}/`, { WebSocket, protocols: ['chat'] })
  const said = new Promise((resolve) => { socket.on('said', resolve) })
  t.ok(socket.send('hello'))
  t.equal(await said, 'hello')
  await socket.delivered()
  t.equal(socket.protocol, 'chat')
  socket.close()
  t.equal(socket.state, 'closed')
})
