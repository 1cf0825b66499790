// Examples of docs/relay.md and docs/upgrades.md, run as they stand there.
import t from 'tap'
import { once } from 'node:events'
import WebSocket from 'ws'
import { build, listen, until } from '../helpers.js'
import { run, snippet } from './snippets.js'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'

/** The next message of a client. */
async function message (client: WebSocket): Promise<string> {
  const [data] = await once(client, 'message')
  return String(data)
}

function connect (t: Test, url: string, headers: Record<string, string> = {}): WebSocket {
  const client = new WebSocket(url, { headers })
  t.teardown(() => { client.terminate() })
  return client
}

t.test('authentication: accepts any user id, and signs out one user only', async (t) => {
  const ids = ['ada', 'auth0|5f7c', 'ada@example.com', 'José', '日本語', 'a b/c']
  const code = (await snippet('docs/upgrades.md', 'Authentication'))
    .replace("[['sid=1', 'ada']]", JSON.stringify(ids.map((id, i) => [`sid=${i}`, id])))
    .replace('logger: true', '')
    .replace('port: 3000', 'port: 0')
  const { app } = await run<{ app: FastifyInstance }>(t, `${code}\nexport { app }`)
  t.teardown(() => app.close())
  const url = `127.0.0.1:${(app.server.address() as AddressInfo).port}`
  const clients: WebSocket[] = []
  for (const [i, id] of ids.entries()) {
    const client = connect(t, `ws://${url}/ws`, { cookie: `sid=${i}` })
    t.equal(await message(client), `Hello ${id}`)
    clients.push(client)
  }
  for (const [i, client] of clients.entries()) {
    const closed = once(client, 'close')
    await fetch(`http://${url}/sign-out`, { method: 'POST', headers: { cookie: `sid=${i}` } })
    t.equal((await closed)[0], 4001)
    const others = clients.slice(i + 1)
    t.ok(others.every(({ readyState }) => readyState === WebSocket.OPEN), 'the others stay')
  }
  await t.rejects(once(connect(t, `ws://${url}/ws`), 'open'), /401/)
})

t.test('one target for many clients: closes only the sender of a bad message', async (t) => {
  const app = await build(t)
  await run(t, await snippet('docs/relay.md', 'One target for many clients'), { app })
  const url = `ws://127.0.0.1:${await listen(app)}/board`
  const good = connect(t, url)
  await once(good, 'open')
  for (const text of ['no JSON', 'null', '{']) {
    const bad = connect(t, url)
    await once(bad, 'open')
    const closed = once(bad, 'close')
    bad.send(text)
    t.strictSame((await closed).map(String), ['4400', 'bad message'])
  }
  const echo = message(good)
  good.send('{"text":"tea"}')
  t.equal(await echo, '{"text":"tea"}')
  app.processes.cancel('board')
  t.match(await app.processes.exited('board'), { reason: 'shutdown' })
})

t.test('pressure: sends nothing twice when a client reads slowly, or not at all', async (t) => {
  const chapters = ['a', 'b', 'c'].map((letter) => letter.repeat(10_000_000))
  const code = (await snippet('docs/relay.md', 'Pressure')).replace(/^const chapters = .*$/m, '')
  for (const reads of [true, false]) {
    const app = await build(t)
    await run(t, reads ? code : code.replace("'1m'", '100'), { app, chapters })
    const client = connect(t, `ws://127.0.0.1:${await listen(app)}/book`)
    const read: string[] = []
    client.on('message', (data) => { read.push(String(data).slice(0, 1)) })
    const closed = once(client, 'close')
    await once(client, 'open')
    if (!reads) {
      client.pause()
      await until(() => app.processes.list().length === 0)
      client.resume()
    }
    const [closeCode] = await closed
    t.strictSame([closeCode, read], reads ? [1000, ['a', 'b', 'c']] : [4408, ['a']])
  }
})
