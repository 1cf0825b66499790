import { connect } from 'node:net'
import { once } from 'node:events'
import { Histogram } from './histogram.js'
import { get } from './usage.js'

export interface FloodSpec {
  kind: 'flood'
  port: number
  messages: number
  clients: number
  seconds: number
}

const request = 'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'

/** Starts keep-alive clients that send the next request after each response. @returns stops them */
async function ask (port: number, clients: number, latencies: Histogram): Promise<() => void> {
  const sockets = await Promise.all(Array.from({ length: clients }, async () => {
    const socket = connect(port, '127.0.0.1').setNoDelay(true)
    await once(socket, 'connect')
    let asked = performance.now()
    let length = 0 // of an answer; they are all alike
    let got = 0
    socket.on('data', (bytes) => {
      got += bytes.length
      if (length === 0) length = got
      if (got < length) return
      got = 0
      latencies.add((performance.now() - asked) * 1000)
      asked = performance.now()
      socket.write(request)
    })
    socket.on('error', (error) => { throw error })
    socket.write(request)
    return socket
  }))
  return () => { for (const socket of sockets) socket.destroy() }
}

/**
 * Measures HTTP with an idle process, and during a flood. An uncounted flood runs before both, so
 * that both run the same compiled code.
 */
export async function measureFlood ({ port, messages, clients, seconds }: FloodSpec) {
  const latencies = new Histogram()
  const flood = () => get<{ milliseconds: number }>(port, `/flood?messages=${messages}`)
  const stop = await ask(port, clients, latencies)
  const during = async (work: Promise<unknown>) => {
    latencies.clear()
    await work
    return { p50: latencies.percentile(0.5), p99: latencies.percentile(0.99) }
  }
  await new Promise((resolve) => { setTimeout(resolve, seconds * 500) })
  await flood()
  const idle = await during(new Promise((resolve) => { setTimeout(resolve, seconds * 1000) }))
  let took = 0
  const flooded = await during((async () => {
    took = (await flood()).milliseconds
  })())
  stop()
  return { messages, milliseconds: took, idle, flooded }
}
