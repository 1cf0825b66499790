import t from 'tap'
import { Warnings } from '../../lib/shared/warnings.js'
import { silentLogger } from '../../lib/process/index.js'
import { recordingLogger } from '../process/helpers.js'
import { ManualClock } from '../properties/clock.js'

function build (): { warnings: Warnings, clock: ManualClock, take: () => unknown[][] } {
  const { logger, lines } = recordingLogger()
  const clock = new ManualClock()
  return {
    warnings: new Warnings(logger, clock),
    clock,
    take: () => lines.splice(0).map(({ args }) => args)
  }
}

t.test('logs a text once per label, for ever', async (t) => {
  const { warnings, clock, take } = build()
  for (let time = 0; time < 3; time++) {
    for (const label of ['a', 'b']) warnings.warn({ label }, { time }, 'one')
    warnings.warn({ label: 'a' }, { time }, 'two')
    clock.advance(1e9)
  }
  t.strictSame(take(), [[{ time: 0 }, 'one'], [{ time: 0 }, 'one'], [{ time: 0 }, 'two']])
})

t.test('logs at most ten lines in ten seconds, and the others when they come again', async (t) => {
  const { warnings, clock, take } = build()
  const warnAll = (): void => {
    for (let i = 0; i < 15; i++) warnings.warn({ label: String(i) }, {}, i % 2 === 0 ? 'even' : 'odd')
  }
  warnAll()
  t.equal(take().length, 10)
  clock.advance(9_999)
  warnAll()
  t.equal(take().length, 0)
  clock.advance(1)
  warnAll()
  t.equal(take().length, 5)
})

t.test('remembers at most 100 labels for each text', async (t) => {
  const { warnings, clock, take } = build()
  for (let i = 0; i < 10_000; i++) {
    warnings.warn({ label: `label ${i}` }, {}, 'text')
    clock.advance(1_000)
  }
  t.equal(take().length, 100)
  warnings.warn({ label: 'label 5000' }, {}, 'another text')
  t.equal(take().length, 1)
})

t.test('remembers the beginning of a long label only', async (t) => {
  const { warnings, take } = build()
  warnings.warn({ label: 'x'.repeat(1e6) + 'a' }, {}, 'text')
  warnings.warn({ label: 'x'.repeat(1e6) + 'b' }, {}, 'text')
  t.equal(take().length, 1)
})

t.test('uses the given logger, and survives one that throws', async (t) => {
  const { warnings, take } = build()
  const other = recordingLogger()
  warnings.warn({ label: 'a', logger: other.logger }, { field: 1 }, 'text')
  t.match(other.lines, [{ level: 'warn', args: [{ field: 1 }, 'text'] }])
  const broken = { ...silentLogger, warn () { throw new Error('no space left') } }
  warnings.warn({ label: 'b', logger: broken }, {}, 'text')
  t.strictSame(take(), [])
})
