// A client with a limit and an end, on random sockets, with random targets.
import fc from 'fast-check'
import { suiteOf } from '../suite.js'
import { LimitsBench } from './limits-bench.js'
import { step } from './limits-steps.js'

export const limited = suiteOf(
  'limits',
  fc.record({
    name: fc.constantFrom('slow' as const, 'bytes' as const, 'both' as const, 'none' as const),
    steps: fc.array(step, { minLength: 5, maxLength: 30, size: 'max' })
  }),
  async ({ name, steps }) => {
    const bench = new LimitsBench(name)
    await bench.settle()
    for (const each of steps) {
      bench.do(each)
      await bench.settle()
      bench.check()
    }
    await bench.rest()
  }
)
