// The recipes of docs/deploys.md for a drain.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { transform } from 'esbuild'
import t from 'tap'
import { toMilliseconds } from '../../lib/shared/duration.js'
import { answer, handshake, open } from '../helpers.js'
import { loader, modulePath, root } from '../program.js'
import { until } from '../laps.js'
import type { Test } from 'tap'

const page = await readFile(join(root, 'docs/deploys.md'), 'utf8')
const section = page.split('\n## Drain\n')[1].split('\n## ')[0]

/** The code blocks of the section in one language. */
function blocks (language: string): string[] {
  return [...section.matchAll(/```(\w+)\n([^]*?)^```$/gm)]
    .filter(([, each]) => each === language)
    .map(([, , code]) => code)
}

async function folder (t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'drain-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

t.test('drains on a signal, even if it comes twice, and then ends', async (t) => {
  // Long enough for any machine: the only client leaves by itself.
  const recipe = blocks('ts')[0].replace("'5s'", "'0s'").replace("'30s'", "'10m'")
  t.match(recipe, /'0s'.*'10m'/)
  const source = `
    const { default: Fastify } = await import(${JSON.stringify(import.meta.resolve('fastify'))})
    const file = ${JSON.stringify(pathToFileURL(modulePath('lib/index.ts')).href)}
    const { wsRelay } = await import(file)
    const app = Fastify()
    await app.register(wsRelay)
    const target = app.processes.spawn((self) => self.serve({}, () => {}))
    app.get('/ws', (_, reply) => { reply.relay(target).send() })
    app.get('/plain', async () => 'plain')
    ${recipe}
    await app.listen({ port: 0, host: '127.0.0.1' })
    console.log(app.server.address().port)
  `
  const path = join(await folder(t), 'server.mjs')
  await writeFile(path, (await transform(source, { loader: 'ts', format: 'esm' })).code)
  const args = ['-u', 'NODE_OPTIONS', '-u', 'NODE_V8_COVERAGE', process.execPath, ...loader, path]
  const child = spawn('env', args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => { child.kill('SIGKILL') })
  const exit = once(child, 'exit')
  const [line] = await once(createInterface(child.stdout), 'line') as [string]
  const port = Number(line)
  const status = async (path: string): Promise<number> => {
    return (await fetch(`http://127.0.0.1:${port}${path}`)).status
  }
  const client = await open(t, `ws://127.0.0.1:${port}/ws`)
  t.equal(await status('/ready'), 200)
  child.kill('SIGTERM')
  await until(async () => await status('/ready') === 503)
  child.kill('SIGTERM')
  child.kill('SIGINT')
  t.equal(await status('/plain'), 200)
  t.match(await answer(t, port, handshake('/ws')), /^HTTP\/1\.1 503 [^]*FST_WS_RELAY_CLOSING/)
  t.equal(client.readyState, client.OPEN)
  client.close()
  t.strictSame(await exit, [0, null])
})

t.test('gives the server the time of a drain before it is killed, in each recipe', async (t) => {
  const [, delay, over] = /delay: '(\w+)', over: '(\w+)'/.exec(blocks('ts')[0])!
  const needed = toMilliseconds(delay) + toMilliseconds(over) + 4 * 5000
  t.match(section.replaceAll(/\s+/g, ' '), `With the numbers above that is ${needed / 1000} s`)
  const recipes = [
    /terminationGracePeriodSeconds: (\d+)\n/, /docker stop --time (\d+) /,
    /stop_grace_period: (\d+)s\n/, /TimeoutStopSec=(\d+)\n/, /kill_timeout: (\d+)_000\n/,
    /--close-grace-delay (\d+)000 /
  ]
  for (const recipe of recipes) {
    const [, seconds] = recipe.exec(section) ?? []
    t.ok(Number(seconds) * 1000 >= needed, String(recipe))
  }
})

t.test('has a unit file that systemd accepts', async (t) => {
  const path = join(await folder(t), 'app.service')
  await writeFile(path, blocks('ini')[0].replace('/usr/bin/node', process.execPath))
  const { err, text } = await new Promise<{ err: Error | null, text: string }>((resolve) => {
    execFile('systemd-analyze', ['verify', path], (err, stdout, stderr) => {
      resolve({ err, text: stdout + stderr })
    })
  })
  if (err !== null && 'code' in err && err.code === 'ENOENT') return t.comment('no systemd here')
  t.notMatch(text, 'app.service')
})

t.test('has an ecosystem file that Node can read', async (t) => {
  const path = join(await folder(t), 'ecosystem.config.cjs')
  await writeFile(path, blocks('js')[0])
  const { default: { apps } } = await import(pathToFileURL(path).href)
  t.match(apps, [{ name: 'app', script: 'server.js', wait_ready: true, kill_timeout: 60_000 }])
})
