// The example of docs/limits-and-expiry.md, run as it stands there.
import { once } from 'node:events'
import t from 'tap'
import { build, listen, open } from '../helpers.js'
import { run, snippet } from './snippets.js'
import type { Pid } from '../../lib/index.js'

type Sessions = Map<string, { user: string, expiresAt: number }>

t.test('the example renews a session that goes on, and ends one that does not', async (t) => {
  const app = await build(t)
  const code = `${await snippet('docs/limits-and-expiry.md', 'Example')}\nexport { sessions, chat }`
  const { sessions, chat } = await run<{ sessions: Sessions, chat: Pid }>(t, code, { app })
  const port = await listen(app)
  const refused = await app.inject('/chat?sid=unknown')
  t.equal(refused.statusCode, 401)

  const client = await open(t, `ws://127.0.0.1:${port}/chat?sid=sid-1`)
  const echo = async (text: string): Promise<string> => {
    const message = once(client, 'message')
    client.send(text)
    return String((await message)[0])
  }
  t.equal(await echo('a'), 'a')
  const { processes } = app
  const pid = processes.list().find((pid) => processes.info(pid)?.kind === 'ws')!
  t.match(processes.info(pid), { limited: false })

  const closed = once(client, 'close')
  const told = new Promise<void>((resolve) => {
    processes.trace(chat, {}, (event) => {
      if (event.type === 'taken' && event.topic === 'ws.expiring') resolve()
    })
  })
  await processes.call(pid, 'ws.control', { expires_in: 200 })
  await told
  t.equal(await echo('b'), 'b')
  sessions.delete('sid-1')
  await processes.call(pid, 'ws.control', { expires_in: 100 })
  t.strictSame((await closed).map(String), ['1008', 'session expired'])
})
