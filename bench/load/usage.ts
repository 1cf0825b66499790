import { readFileSync } from 'node:fs'
import type { Usage } from '../servers/usage.js'

/** Of /proc/<pid>/stat, in every Linux that Node supports. */
const ticksPerSecond = 100

/** What a GET of the server answers; JSON. */
export async function get<T> (port: number, path: string): Promise<T> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: 'close' } })
  if (!response.ok) throw new Error(`GET ${path}: ${response.status}`)
  return await response.json() as T
}

/** Microseconds of CPU that the server has used, by all of its threads. */
async function cpuOf (pid: number, port: number): Promise<number> {
  if (process.platform !== 'linux') return (await get<Usage>(port, '/usage')).cpu
  // The name of the program is in parentheses and may hold anything.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 1e6 / ticksPerSecond
}

function ownCpu (): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** What server and generator used between two moments. */
export class Window {
  readonly #pid: number
  readonly #port: number
  #server = 0
  #own = 0
  #start = 0

  constructor (pid: number, port: number) {
    this.#pid = pid
    this.#port = port
  }

  async begin (): Promise<void> {
    this.#server = await cpuOf(this.#pid, this.#port)
    this.#own = ownCpu()
    this.#start = performance.now()
  }

  /** @param count how many units there were, asked at the end */
  async end (count: () => number): Promise<{ units: number, perSecond: number, cpuPerUnit: number, serverCpu: number, generatorCpu: number }> {
    const server = await cpuOf(this.#pid, this.#port) - this.#server
    const own = ownCpu() - this.#own
    const microseconds = (performance.now() - this.#start) * 1000
    const units = count()
    return {
      units,
      perSecond: units / microseconds * 1e6,
      cpuPerUnit: server / units,
      serverCpu: server / microseconds,
      generatorCpu: own / microseconds
    }
  }
}
