import { readFileSync } from 'node:fs'
import type { Usage } from '../servers/usage.js'

/** The clock ticks per second in /proc/<pid>/stat, on every Linux that Node supports. */
const ticksPerSecond = 100

/** Returns the JSON response of a GET request to the server. */
export async function get<T> (port: number, path: string): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    headers: { connection: 'close' }
  })
  if (!response.ok) throw new Error(`GET ${path}: ${response.status}`)
  return await response.json() as T
}

/** The CPU time of all threads of the server in microseconds. */
async function cpuOf (pid: number, port: number): Promise<number> {
  if (process.platform !== 'linux') return (await get<Usage>(port, '/usage')).cpu
  // The program name is in parentheses and may contain any characters.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 1e6 / ticksPerSecond
}

function ownCpu (): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** The CPU time of servers and generator between two points in time. */
export class Window {
  readonly #pids: readonly number[]
  readonly #port: number
  #servers: number[] = []
  #own = 0
  #start = 0

  /** @param port of the server, for systems without /proc */
  constructor (pids: readonly number[], port: number) {
    this.#pids = pids
    this.#port = port
  }

  async begin (): Promise<void> {
    this.#servers = await this.#used()
    this.#own = ownCpu()
    this.#start = performance.now()
  }

  /** @param count returns the number of units at the end */
  async end (
    count: () => number
  ): Promise<{
    units: number
    perSecond: number
    cpuPerUnit: number
    serverCpu: number
    generatorCpu: number
    each: number[]
  }> {
    const each = (await this.#used()).map((cpu, n) => cpu - this.#servers[n])
    const server = each.reduce((sum, cpu) => sum + cpu)
    const own = ownCpu() - this.#own
    const microseconds = (performance.now() - this.#start) * 1000
    const units = count()
    return {
      units,
      perSecond: (units / microseconds) * 1e6,
      cpuPerUnit: server / units,
      serverCpu: server / microseconds,
      generatorCpu: own / microseconds,
      each
    }
  }

  #used (): Promise<number[]> {
    return Promise.all(this.#pids.map((pid) => cpuOf(pid, this.#port)))
  }
}
