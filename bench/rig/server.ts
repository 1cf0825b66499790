import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { join, resolve } from 'node:path'
import { compiledFolder, onCore, peersFolder } from './machine.js'
import { generate } from './generator.js'
import type { LoadSpec } from '../load/main.js'

/** A server under test: how to start it, and its protocol. */
export interface ServerKind {
  name: string
  /** A file of bench/peers, or a compiled file of bench/servers, or an absolute path. */
  file: string
  argument?: string
  protocol: 'ws' | 'json' | 'resume' | 'socket.io'
  /**
   * Whether it uses the native sender, and whether by io_uring. The others do not, even if it is
   * compiled.
   */
  native?: 'send' | 'io_uring'
}

const startTimeout = 10_000
const alive = new Set<ChildProcess>()
process.on('exit', () => { for (const child of alive) child.kill('SIGKILL') })
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))

/** A server in its own process, on core 0. */
export class ServerUnderTest {
  readonly kind: ServerKind
  readonly port: number
  readonly #child: ChildProcess

  private constructor (kind: ServerKind, child: ChildProcess, port: number) {
    this.kind = kind
    this.#child = child
    this.port = port
  }

  static async start (kind: ServerKind): Promise<ServerUnderTest> {
    const path = kind.file.endsWith('.mjs')
      ? join(peersFolder, kind.file)
      : resolve(compiledFolder, 'servers', kind.file)
    const [command, ...args] = onCore(0, [
      process.execPath,
      '--expose-gc',
      path,
      kind.argument ?? ''
    ])
    const env = {
      ...process.env,
      WS_RELAY_NO_NATIVE: kind.native === undefined ? '1' : '',
      WS_RELAY_IO_URING: kind.native === 'io_uring' ? '1' : ''
    }
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], env })
    alive.add(child)
    child.once('exit', () => { alive.delete(child) })
    const tooLate = setTimeout(() => child.kill('SIGKILL'), startTimeout)
    const lines = createInterface({ input: child.stdout })
    const [line] = (await Promise.race([
      once(lines, 'line'),
      once(child, 'exit').then(() => {
        throw new Error(`${kind.name} did not start`)
      })
    ])) as [string]
    clearTimeout(tooLate)
    return new ServerUnderTest(kind, child, (JSON.parse(line) as { port: number }).port)
  }

  get pid (): number {
    return this.#child.pid!
  }

  /** Runs a measurement of the generator. */
  measure<R> (spec: Partial<LoadSpec>): Promise<R> {
    return generate({ ...spec, port: this.port, pid: this.pid, protocol: this.kind.protocol })
  }

  async stop (): Promise<void> {
    const gone = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), 3000)
    await gone
    clearTimeout(kill)
  }
}

/** Starts a server, runs one measurement, and stops it. */
export async function measureFresh<R> (kind: ServerKind, spec: Partial<LoadSpec>): Promise<R> {
  const server = await ServerUnderTest.start(kind)
  try {
    return await server.measure<R>(spec)
  } finally {
    await server.stop()
  }
}
