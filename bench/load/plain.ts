import { connect, type Socket } from 'node:net'
import { get } from './usage.js'
import type { Usage } from '../servers/usage.js'

export interface PlainSpec {
  kind: 'plain'
  port: number
  /** Connections that are kept alive, each with one request in flight. */
  connections: number
  /** Requests before the measured ones. */
  warmUp: number
  requests: number
}

const request = 'GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'
const timeout = 60_000

/**
 * Measures the server CPU of plain GET requests. It asks the server for its CPU time, because a
 * tick of /proc is longer than the difference that is looked for.
 */
export async function measurePlain (spec: PlainSpec) {
  const { port, requests } = spec
  const cpu = async (): Promise<number> => (await get<Usage>(port, '/usage')).cpu
  const clients = await Promise.all(Array.from({ length: spec.connections }, () => open(port)))
  await ask(clients, spec.warmUp)
  const before = await cpu()
  const start = performance.now()
  await ask(clients, requests)
  const microseconds = (performance.now() - start) * 1000
  const used = await cpu() - before
  for (const client of clients) client.destroy()
  return {
    perSecond: requests / microseconds * 1e6,
    cpuPerUnit: used / requests,
    serverCpu: used / microseconds
  }
}

function open (port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => { resolve(socket) })
    socket.setNoDelay()
    socket.once('error', reject)
  })
}

/** Resolves when so many requests have their responses. A response comes in one chunk. */
function ask (clients: readonly Socket[], requests: number): Promise<void> {
  return new Promise((resolve, reject) => {
    let asked = 0
    let answered = 0
    const tooLate = setTimeout(() => { reject(new Error('a response is missing')) }, timeout)
    for (const client of clients) {
      client.removeAllListeners('data')
      client.on('data', (chunk: Buffer) => {
        if (chunk.toString('latin1', 9, 12) !== '200') reject(new Error('not 200'))
        answered++
        if (asked < requests) next(client)
        if (answered < requests) return
        clearTimeout(tooLate)
        resolve()
      })
      next(client)
    }
    function next (client: Socket): void {
      asked++
      client.write(request)
    }
  })
}
