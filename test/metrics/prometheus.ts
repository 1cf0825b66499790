// The real Prometheus, as a test uses it: on a free port, with a folder that is removed.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { pause } from '../laps.js'
import { root } from '../program.js'
import type { Test } from 'tap'

/** One series of the result of a query. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>
  /** A time, and the number as Prometheus writes it. */
  readonly value: readonly [number, string]
}

export interface PanelQuery { readonly panel: string, readonly expr: string }

/** A file of `docs/prometheus/`. */
export const shipped = (name: string): string => join(root, 'docs', 'prometheus', name)

/** Runs `promtool`; rejects with its output if it finds a fault. */
export async function promtool (args: readonly string[], input = ''): Promise<string> {
  const run = promisify(execFile)('promtool', args)
  run.child.stdin!.end(input)
  try {
    const { stdout, stderr } = await run
    return stdout + stderr
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string, stderr: string }
    throw new Error(`promtool ${args.join(' ')}\n${stdout}${stderr}`, { cause: error })
  }
}

/** Each query of the dashboard. Its variables choose everything. */
export async function dashboardQueries (): Promise<PanelQuery[]> {
  const { panels } = JSON.parse(await readFile(shipped('dashboard.json'), 'utf8')) as {
    panels: Array<{ title: string, targets?: Array<{ expr: string }> }>
  }
  return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({
    panel: title,
    expr: expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*')
  })))
}

interface Target { readonly health: string, readonly lastError: string }

export class Prometheus {
  readonly #address: string
  /** The time of all queries, in seconds. */
  #time = ''

  private constructor (address: string) {
    this.#address = address
  }

  /** Starts it with the shipped rules. It scrapes these `host:port` all the time. */
  static async start (t: Test, targets: readonly string[]): Promise<Prometheus> {
    const folder = await mkdtemp(join(tmpdir(), 'fastify-ws-relay-prometheus-'))
    const config = {
      global: { scrape_interval: '300ms', scrape_timeout: '300ms', evaluation_interval: '300ms' },
      rule_files: [shipped('alerts.yml')],
      scrape_configs: [{ job_name: 'relay', static_configs: [{ targets }] }]
    }
    const file = join(folder, 'prometheus.yml')
    await writeFile(file, JSON.stringify(config)) // JSON is YAML
    const child = spawn('prometheus', [
      `--config.file=${file}`,
      `--storage.tsdb.path=${join(folder, 'data')}`,
      '--web.listen-address=127.0.0.1:0'
    ], { stdio: ['ignore', 'ignore', 'pipe'] })
    const exit = once(child, 'exit')
    t.teardown(async () => {
      child.kill('SIGKILL')
      await exit
      await rm(folder, { recursive: true, force: true })
    })
    const log: string[] = []
    let address: string | undefined
    for await (const line of createInterface({ input: child.stderr })) {
      log.push(line)
      address ??= /"Listening on" address=(\S+)/.exec(line)?.[1]
      if (!line.includes('Server is ready') || address === undefined) continue
      child.stderr.resume()
      return new Prometheus(address)
    }
    throw new Error(`prometheus did not start:\n${log.join('\n')}`)
  }

  /** The `data` of an answer of its API. Throws with its text if it reports an error. */
  async get<T> (path: string, parameters: Record<string, string> = {}): Promise<T> {
    const query = new URLSearchParams(parameters).toString()
    const response = await fetch(`http://${this.#address}/api/v1/${path}?${query}`)
    const { data, error } = await response.json() as { data: T, error?: string }
    if (error !== undefined) throw new Error(`${path} ${JSON.stringify(parameters)}: ${error}`)
    return data
  }

  /** Runs a query, at the time that {@link scraped} has found. */
  async query (query: string): Promise<readonly Series[]> {
    const time = this.#time === '' ? undefined : { time: this.#time }
    return (await this.get<{ result: Series[] }>('query', { query, ...time })).result
  }

  /**
   * Waits for a time before which each target was read twice without a pause, and queries that
   * time from then on. A slow machine misses later scrapes: they change nothing at that time.
   *
   * @param metric a metric without labels that each target has
   */
  async scraped (metric: string, targets: number): Promise<void> {
    for (;;) {
      await pause()
      const { activeTargets } = await this.get<{ activeTargets: Target[] }>('targets')
      for (const { lastError } of activeTargets) {
        if (lastError !== '' && !lastError.includes('deadline')) throw new Error(lastError)
      }
      this.#time = ''
      // The scrapes of one target follow each other, so none before this time is under way.
      const [last] = await this.query(`min(timestamp(${metric}))`)
      if (last === undefined) continue
      this.#time = last.value[1]
      const counts = await this.query(`count_over_time(${metric}[1h]) and ${metric}`)
      if (counts.length === targets && counts.every(({ value }) => Number(value[1]) > 1)) return
    }
  }
}
