// Random histories of keys whose processes fail, stop, idle and start again, and of the clients
// that visit them, wait for them, and go to other keys.
import fc from 'fast-check'
import { suiteOf } from '../suite.js'
import { VisitBench } from './visit-bench.js'
import { turn } from './visit-steps.js'

const history = fc.record({
  plan: fc.record({ park: fc.constantFrom(0, 200, 200), delay: fc.constantFrom(0, 0, 80) }),
  turns: fc.array(turn, { minLength: 5, maxLength: 30, size: 'max' })
})

export const visits = suiteOf('visits', history, async ({ plan, turns }) => {
  const bench = new VisitBench(plan)
  try {
    for (const of of [0, 1, 2]) bench.do({ do: 'connect', of, key: 'a', park: undefined })
    await bench.settle()
    for (const steps of turns) {
      for (const step of steps) bench.do(step)
      await bench.settle()
      bench.check()
    }
    await bench.quiet()
    await bench.end()
  } finally {
    bench.stopListening()
  }
})
