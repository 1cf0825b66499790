// Random histories of rooms that fail, and of connections that wait for their successors: crash
// loops, a crash inside `ws.join`, clients that are away, transfers, and a server that closes.
import fc from 'fast-check'
import { suiteOf } from '../suite.js'
import { ParkBench } from './park-bench.js'
import { turn } from './park-steps.js'
import type { Step } from './park-steps.js'

interface History {
  readonly turns: readonly (readonly Step[])[]
  readonly closes: boolean
}

async function play (bench: ParkBench, { turns, closes }: History): Promise<void> {
  bench.do({ do: 'start', name: 0, kind: 'steady' })
  for (const of of [0, 1, 2]) bench.do({ do: 'connect', of, name: 0, park: 100 })
  await bench.settle()
  for (const steps of turns) {
    for (const step of steps) bench.do(step)
    await bench.settle()
    bench.check()
  }
  await (closes ? bench.close() : bench.quiet())
  await bench.end()
}

const history = fc.record({
  turns: fc.array(turn, { minLength: 5, maxLength: 30, size: 'max' }),
  closes: fc.boolean()
})

export const park = suiteOf('park', history, async (history) => {
  const bench = new ParkBench()
  try {
    await play(bench, history)
  } finally {
    bench.stopListening()
  }
})
