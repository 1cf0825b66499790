import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import t from 'tap'
import { build } from '../../examples/demo/app.js'
import { Client, listen } from './fixtures/client.js'
import { run } from './fixtures/run.js'

interface Snapshot {
  rows: Array<{ pid: string, kind: string, names: string[], target?: string }>
  more: number
  stats: { alive: number }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  t.test(
    `prints its address, and closes all connections on ${signal}`,
    { skip: process.platform === 'win32' },
    async (t) => {
      const { child: demo, line } = run(t, 'demo/server.ts', 0)
      const exit = once(demo, 'exit')
      const [address, port] = await line(/http:\/\/127\.0\.0\.1:(\d+)/)
      t.match(await (await fetch(address)).text(), /<title>/)
      const client = await Client.connect(t, Number(port), '/rooms/lobby?name=Ada')
      const reserve = connect(Number(port), '127.0.0.1').resume()
      t.teardown(() => reserve.destroy())
      await once(reserve, 'connect')
      demo.kill(signal)
      t.same(await client.closed, { code: 1001, reason: 'server shutting down' })
      await line(/Stopped/)
      t.same(await exit, [0, null])
    }
  )
}

t.test('takes a free port and says so when its port is in use', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  const { line } = run(t, 'demo/server.ts', port)
  t.equal((await line(/Port (\d+) is taken/))[1], String(port))
  const [address, free] = await line(/http:\/\/127\.0\.0\.1:(\d+)/)
  t.not(free, String(port))
  t.equal((await fetch(address)).status, 200)
})

t.test('cuts the connections of one page, and of no other', async (t) => {
  const { line } = run(t, 'demo/server.ts', 0)
  const port = Number((await line(/http:\/\/127\.0\.0\.1:(\d+)/))[1])
  const [page, room, other] = await Promise.all([
    Client.connect(t, port, '/network?page=00000000000000aa'),
    Client.connect(t, port, '/rooms/lobby?name=Ada&page=00000000000000aa'),
    Client.connect(t, port, '/network?page=00000000000000bb')
  ])
  page.send({ topic: 'do', data: 'cut' })
  for (const client of [page, room]) t.equal((await client.closed).code, 1006)
  other.send({ topic: 'number', data: 1 })
  t.match(await other.next('counted'), { received: 1 })
})

t.test('keeps its memory when it is restarted, and closes connections one by one', async (t) => {
  const { child, line } = run(t, 'demo/server.ts', 0)
  const port = Number((await line(/http:\/\/127\.0\.0\.1:(\d+)/))[1])
  const connect = async () => await Promise.all([
    Client.connect(t, port, '/network?page=00000000000000aa'),
    Client.connect(t, port, '/rooms/lobby?name=Ada')
  ])
  const [page, room] = await connect()
  page.send({ topic: 'had', data: 0 })
  for (const data of [1, 2, 4, 4]) page.send({ topic: 'number', data })
  await page.next('counted', ({ doubled }: { doubled: number }) => doubled === 1)
  const had = await page.next<number>('number')
  room.send({ topic: 'say', data: { key: '1', text: 'remember this' } })
  await room.next('line', ({ text }: { text: string }) => text === 'remember this')
  page.send({ topic: 'do', data: 'restart' })
  await page.next('restarts')
  await page.next('drains')
  for (const client of [page, room]) {
    t.same(await client.closed, { code: 1001, reason: 'server shutting down' })
  }

  const [again, back] = await connect()
  t.match(await again.next('welcome'), { last: 4, received: 3, doubled: 1, lost: 1 })
  again.send({ topic: 'had', data: had })
  t.equal(await again.next('number'), had + 1, 'it goes on behind the last one')
  const { lines } = await back.next<{ lines: Array<{ text: string }> }>('welcome')
  t.same(lines.map(({ text }) => text), ['Ada came in', 'remember this'])
  const exit = once(child, 'exit')
  child.kill('SIGTERM')
  await line(/Stopped/)
  t.same(await exit, [0, null])
})

t.test('serves the page with a policy that allows no other origin', async (t) => {
  const app = await build()
  t.teardown(() => app.close())
  for (const url of ['/', '/app.js', '/style.css', '/icon.svg']) {
    const response = await app.inject(url)
    t.equal(response.statusCode, 200, url)
    t.match(response.headers['content-security-policy'], /^default-src 'none'/)
    t.notMatch(
      response.payload,
      /(?:src|href|url)[=(]["']?(?:https?:)?\/\//,
      'no resource of another origin'
    )
  }
})

t.test('sends the list of processes as JSON for a GET, and as updates over a socket', async (t) => {
  const app = await listen(t, await build())
  const document: Snapshot = (await app.inject('/processes')).json()
  t.ok(document.rows.some(({ names }) => names.includes('bot')))

  const page = await Client.connect(t, app, '/processes')
  const first = await page.next<Snapshot>('processes')
  t.equal(first.stats.alive, document.stats.alive + 1, 'the page has a connection too')
  await Client.connect(t, app, '/rooms/lobby?name=Ada')
  const { rows } = await page.next<Snapshot>('processes')
  const room = rows.find(({ names }) => names.includes('@room/lobby'))
  t.ok(room)
  t.ok(rows.some(({ kind, target }) => kind === 'ws' && target === room?.pid))
})

t.test('limits the length of the list of processes', async (t) => {
  const app = await build()
  t.teardown(() => app.close())
  for (let n = 0; n < 80; n++) app.processes.spawn((self) => self.receive().catch(() => {}))
  const { rows, more, stats }: Snapshot = (await app.inject('/processes')).json()
  t.equal(rows.length, 50)
  t.equal(rows.length + more, stats.alive)
})
