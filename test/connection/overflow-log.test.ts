import t from 'tap'
import { OverflowLog } from '../../lib/connection/overflow-log.js'
import { ManualClock } from '../properties/clock.js'
import { recordingLogger } from '../process/helpers.js'

t.test('logs one line in ten seconds, and the next one counts those between', async t => {
  const { logger, lines } = recordingLogger()
  const clock = new ManualClock()
  const log = new OverflowLog(clock)
  let made = 0
  const of = { get log () { made++; return logger } }
  const counts = { buffered: 5, maxBufferedAmount: 1, dropped: 2 }
  for (const time of [1000, 1001, 5000, 10_999, 11_000, 11_001, 21_000]) {
    clock.time = time
    log.warn(of, counts, 'slow')
  }
  t.strictSame(
    lines,
    [0, 3, 1].map((unlogged) => ({ level: 'warn', args: [{ ...counts, unlogged }, 'slow'] }))
  )
  t.equal(made, 3, 'a connection makes its logger only for a line')
})
