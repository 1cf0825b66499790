import t from 'tap'
import { run, runByTsx } from './fixtures/run.js'

const examples: Array<[file: string, path: string, status: number]> = [
  ['rooms.ts', '/rooms/tea/ada', 426],
  ['notify.ts', '/notices', 400],
  ['chat.ts', '/', 200],
  ['desk.ts', '/', 200],
  ['agent.ts', '/agent', 426]
]

for (const [file, path, status] of examples) {
  t.test(`starts a server when ${file} is run`, async (t) => {
    const { line } = run(t, file, 0)
    const [address] = await line(/http:\/\/127\.0\.0\.1:\d+/)
    t.equal((await fetch(address + path)).status, status)
    const client = await fetch(`${address}/client.js`)
    t.match(client.headers.get('content-type'), 'javascript')
    await client.body?.cancel()
  })
}

t.test('starts a server when tsx runs the first example', async (t) => {
  const { line } = runByTsx(t, 'quickstart.ts', 0)
  const [address] = await line(/http:\/\/127\.0\.0\.1:\d+/)
  t.equal((await fetch(`${address}/ws`)).status, 426)
})
