// An engine for one run of the demo, on a free port, with a store that is removed at the end.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const host = '127.0.0.1'

const engines = {
  nats: {
    program: 'nats-server',
    args: (port: number, store: string) => ['-a', host, '-p', String(port), '-js', '-sd', store],
    ready: /Server is ready/,
    help: `There is no nats-server on the PATH. It is a single file:
  Debian, Ubuntu  apt-get install nats-server
  macOS           brew install nats-server
  any other       https://github.com/nats-io/nats-server/releases
One that runs already, with JetStream:  ENGINE=nats://127.0.0.1:4222 npm run demo:cluster
Redis instead, with redis-server:       npm run demo:cluster -- --redis`
  },
  redis: {
    program: 'redis-server',
    args: (port: number, store: string) => [
      '--bind', host, '--port', String(port), '--dir', store, '--save', '', '--appendonly', 'no'
    ],
    ready: /Ready to accept connections/,
    help: `There is no redis-server on the PATH.
  Debian, Ubuntu  apt-get install redis-server
  macOS           brew install redis
One that runs already:  ENGINE=redis://127.0.0.1:6379 npm run demo:cluster`
  }
}

/** Free ports, starting at `first` where possible. */
export async function freePorts (count: number, first = 0): Promise<number[]> {
  const servers: Server[] = []
  for (let n = 0; n < count; n++) {
    const listen = async (port: number) => {
      const server = createServer().listen(port, host)
      await once(server, 'listening')
      servers.push(server)
    }
    await listen(first === 0 ? 0 : first + n).catch(async () => { await listen(0) })
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  for (const server of servers) server.close()
  await Promise.all(servers.map((server) => once(server, 'close')))
  return ports
}

/** Resolves when it accepts connections. @throws with instructions when it is not installed */
export async function startEngine (kind: keyof typeof engines) {
  const { program, args, ready, help } = engines[kind]
  const [port] = await freePorts(1)
  const store = mkdtempSync(join(tmpdir(), `${program}-`))
  // In its own process group: Ctrl+C must stop the nodes first, which still need the engine.
  const child = spawn(program, args(port, store), {
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true
  })
  const stop = () => {
    process.off('exit', stop)
    child.kill('SIGKILL')
    rmSync(store, { recursive: true, force: true, maxRetries: 3 })
  }
  process.once('exit', stop)
  const problem = await started(child, ready)
  if (problem === undefined) {
    return { url: `${kind}://${host}:${port}`, program, pid: child.pid, stop }
  }
  throw new Error(problem === 'ENOENT' ? help : `${program} does not start: ${problem}`)
}

/** Resolves with the problem, or undefined. */
function started (child: ChildProcess, ready: RegExp) {
  return new Promise<string | undefined>((resolve) => {
    child.once('error', (err: NodeJS.ErrnoException) => { resolve(err.code ?? err.message) })
    child.once('exit', (code) => { resolve(`it ended with ${code}`) })
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) {
        createInterface(stream).on('line', (line) => {
          if (ready.test(line)) resolve(undefined)
        })
      }
    }
  })
}
