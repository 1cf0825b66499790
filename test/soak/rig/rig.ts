import { until } from './until.js'
import { Worker } from './worker.js'
import { slope, type Sample } from './slope.js'
import type { ClientMethods } from '../clients/main.js'
import type { ServerMethods } from '../server/main.js'
import type { Instances, Snapshot } from '../server/snapshot.js'
import type { Scale } from '../options.js'
import type { Section } from '../report.js'

export type Clients = Worker<ClientMethods>

/** A phase, with its section of the report. */
export interface Phase {
  readonly title: string
  readonly about: string
  run (rig: Rig, section: Section): Promise<void>
}

/** Growth of live memory that counts as noise: compiled code, caches, type feedback of V8. */
const noise = 2 ** 20

/** Log lines that the phases cause on purpose. */
const expectedLines: ReadonlySet<string> = new Set([
  'transfer refused',
  'dropping frames for a client that reads too slowly',
  'closing the connection of a client that reads too slowly'
])

/** The server under test, and its snapshot while it was idle. */
export class Rig {
  readonly server: Worker<ServerMethods>
  readonly port: number
  readonly scale: Scale
  readonly #before: Snapshot
  readonly #instancesBefore: Instances
  readonly #crowds = new Set<Clients>()

  private constructor (
    server: Worker<ServerMethods>,
    port: number,
    scale: Scale,
    before: Snapshot,
    instancesBefore: Instances
  ) {
    this.server = server
    this.port = port
    this.scale = scale
    this.#before = before
    this.#instancesBefore = instancesBefore
  }

  static async start (scale: Scale): Promise<Rig> {
    const server = await Worker.start<ServerMethods>('server/main.js', [
      '--expose-gc',
      '--disable-warning=ExperimentalWarning'
    ])
    const port = await server.ask('port')
    const clients = await Worker.start<ClientMethods>('clients/main.js')
    // Objects that are made once must exist before the first snapshot.
    await server.ask('keep', 'warm', { related: true })
    await clients.ask(
      'visit',
      { port, path: '/warm', first: 0, count: 200, reading: 'echoes' },
      20,
      ['close', 'reset']
    )
    await server.ask('tallied', 'warm', { leaves: 200 })
    await clients.kill()
    const nothing: Snapshot = {
      connections: 0,
      processes: 0,
      relations: 0,
      names: 0,
      groups: 0,
      deadlines: 0,
      sockets: 0,
      handshakes: 0,
      timers: Infinity
    }
    const before = await server.ask('settle', nothing)
    return new Rig(server, port, scale, before, await server.ask('instances'))
  }

  /** Starts another client process. It ends with the phase at the latest. */
  async clients (): Promise<Clients> {
    const clients = await Worker.start<ClientMethods>('clients/main.js')
    this.#crowds.add(clients)
    return clients
  }

  /** Ends the phase, and checks that nothing of it remains. */
  async settle (section: Section): Promise<void> {
    await Promise.all([...this.#crowds].map((clients) => clients.kill()))
    this.#crowds.clear()
    const before = this.#before
    const after = await this.server.ask('settle', before)
    const more = Object.entries(after).filter(
      ([name, count]) => count > (before[name as keyof Snapshot] ?? Infinity)
    )
    section.holds(
      'tables, timers, sockets and descriptors are back at what they were before',
      more.length === 0,
      Object.entries(after)
        .map(
          ([name, count]) =>
            `${name} ${count}${more.some(([other]) => other === name) ? ` (before: ${before[name as keyof Snapshot]})` : ''}`
        )
        .join(', ')
    )
    await this.#settleInstances(section)
    const { lines, problems } = await this.server.ask('complaints')
    section.equal(
      'nothing was uncaught',
      problems.count === 0 ? 'nothing' : problems.first.join('; '),
      'nothing'
    )
    const unexpected = Object.entries(lines).filter(([line]) => !expectedLines.has(line))
    section.equal(
      'the log has no error, and no warning but of refused transfers and slow clients',
      Object.fromEntries(unexpected),
      {}
    )
  }

  async #settleInstances (section: Section): Promise<void> {
    const before = this.#instancesBefore
    const after = await this.server.ask('instances')
    if (before === undefined || after === undefined) {
      section.note(
        'live instances',
        `not counted: Node ${process.version} has no \`v8.queryObjects\` (it came with 20.13)`
      )
      return
    }
    // The HTTP server of Node may still reference its last socket, with all its objects.
    const left = Object.entries(after).map(
      ([name, count]) => [name, count - before[name as keyof typeof after]] as const
    )
    section.holds(
      'live instances on the heap are back (the last socket may still be known to Node)',
      left.every(([, count]) => count <= 1),
      left.map(([name, count]) => `${name} ${count >= 0 ? '+' : ''}${count}`).join(', ')
    )
  }

  /** Returns how the idle server ended, or undefined when it did not end by itself. */
  async ended (): Promise<{ code: number | null, signal: string | null } | undefined> {
    let ended: Awaited<typeof this.server.exited> | undefined
    this.server.exited.then(
      (how) => {
        ended = how
      },
      () => {}
    )
    await until(() => ended !== undefined)
    return ended
  }

  async stop (): Promise<void> {
    await Promise.all([this.server, ...this.#crowds].map((worker) => worker.kill()))
  }

  /** Records the bytes of live objects after an amount of work. */
  async sample (work: number): Promise<Sample> {
    return { work, bytes: await this.server.ask('heap') }
  }

  /** Checks that memory does not grow with the work. */
  growth (section: Section, unit: string, samples: readonly Sample[]): void {
    if (samples.length < 2) {
      section.holds(`live memory does not grow with ${unit}`, false, 'the phase was broken off')
      return
    }
    const perUnit = slope(samples)
    const work = samples.at(-1)!.work - samples[0].work
    const mib = (bytes: number): string => (bytes / 2 ** 20).toFixed(2)
    section.holds(
      `live memory does not grow with ${unit}: less than ${noise / 2 ** 20} MiB in all, ` +
        `fitted to ${samples.length} samples after GC`,
      perUnit * work < noise,
      `${perUnit.toFixed(2)} B each, ${mib(perUnit * work)} MiB after ${work} ${unit}; ` +
        `heap ${samples.map(({ bytes }) => mib(bytes)).join(', ')} MiB`
    )
  }
}
