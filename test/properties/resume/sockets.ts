// Random histories of sessions over real sockets, in real time: cuts after any byte, half-open
// sockets, compression on some of them, intruders. Client and targets get each message once.
import fc from 'fast-check'
import { suiteOf } from '../suite.js'
import { SocketBench } from './socket-bench.js'
import { ending, socketStep } from './socket-steps.js'
import type { Suite } from '../suite.js'
import type { SocketServer } from './socket-bench.js'

const history = fc.record({
  steps: fc.array(socketStep, { minLength: 5, maxLength: 30, size: 'max' }),
  ending
})

/** @param server it serves one history after the other */
export function socketHistories (name: string, server: SocketServer): Suite {
  return suiteOf(name, history, async ({ steps, ending }) => {
    const bench = new SocketBench(server)
    try {
      await bench.begin()
      for (const step of steps) {
        await bench.do(step)
        bench.check()
      }
      await bench.quiet()
      await bench.end(ending)
    } finally {
      await bench.close()
    }
  })
}
