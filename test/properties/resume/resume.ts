// Random histories of sessions: sockets that are cut after any byte, lost hellos, takeovers of
// half-open sockets, transfers and pressure. Client and targets get each message once, in order.
import fc from 'fast-check'
import { ticks } from '../clock.js'
import { suiteOf } from '../suite.js'
import { ResumeBench } from './resume-bench.js'
import { step } from './resume-steps.js'
import type { Step } from './resume-steps.js'

interface History {
  readonly small: boolean
  readonly steps: readonly Step[]
}

async function run ({ small, steps }: History): Promise<void> {
  const bench = new ResumeBench(small)
  bench.connect()
  for (const each of steps) {
    const { lostAt, hasEnded } = bench
    bench.do(each)
    bench.clock.run()
    await ticks()
    bench.clock.run()
    if (!hasEnded) bench.checkEnd(lostAt)
    bench.check()
  }
  await bench.quiet()
  await bench.end(steps.length % 2 === 0)
}

const history = fc.record({
  small: fc.boolean(),
  steps: fc.array(step, { minLength: 5, maxLength: 60, size: 'max' })
})

export const resume = suiteOf('resume', history, run)
