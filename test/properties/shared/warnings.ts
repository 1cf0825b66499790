import fc from 'fast-check'
import { RecentKeys } from '../../../lib/shared/recent-keys.js'
import { Warnings } from '../../../lib/shared/warnings.js'
import { silentLogger } from '../../../lib/process/index.js'
import { ManualClock } from '../clock.js'
import { equal, suiteOf } from '../suite.js'

/** Warnings of one text about some labels, after a pause. */
interface Burst {
  readonly pause: number
  readonly text: string
  readonly first: number
  readonly labels: number
  /** Milliseconds between two of them. */
  readonly apart: number
}

const bursts = fc.array(fc.record({
  pause: fc.nat(20_000),
  text: fc.constantFrom('one', 'two'),
  first: fc.nat(100),
  labels: fc.nat(130),
  apart: fc.constantFrom(0, 1, 999, 1_000, 10_000)
}), { maxLength: 8 })

interface Logged { readonly at: number, readonly label: number, readonly text: string }

/**
 * The promises of the warnings: a text comes once per label, with at most 100 labels, and at most
 * 10 lines in a period of 10 seconds that begins with a warning. A new one is logged if there was
 * no line for 10 seconds.
 */
function runWarnings (history: readonly Burst[]): void {
  const clock = new ManualClock()
  let lines = 0
  const warnings = new Warnings({ ...silentLogger, warn () { lines++ } }, clock)
  const logged: Logged[] = []
  const warn = (text: string, label: number): void => {
    const before = lines
    warnings.warn({ label: String(label) }, {}, text)
    const ofText = logged.filter((line) => line.text === text)
    const isKnown = ofText.some((line) => line.label === label)
    const recent = logged.filter(({ at }) => clock.time - at < 10_000).length
    if (lines > before) {
      equal(isKnown, false, 'a text came twice for one label')
      if (ofText.length >= 100) throw new Error('more than 100 labels of a text')
      // Two periods may touch.
      if (recent >= 20) throw new Error('more than 10 lines in 10 seconds')
      logged.push({ at: clock.time, label, text })
    } else if (!isKnown && ofText.length < 100) {
      if (recent === 0) throw new Error('a new warning was not logged')
      if (recent < 10 && logged.at(-1)!.at === clock.time) {
        throw new Error('fewer than 10 lines in a period')
      }
    }
  }
  for (const { pause, text, first, labels, apart } of history) {
    clock.advance(pause)
    for (let label = first; label < first + labels; label++) {
      warn(text, label)
      clock.advance(apart)
    }
  }
}

/** A key is new once in 100 ms, and at most 5 keys are remembered. */
function runKeys (history: readonly Burst[]): void {
  const clock = new ManualClock()
  const keys = new RecentKeys({ limit: 5, forgetAfter: 100 }, clock)
  let added: Array<{ key: string, at: number }> = []
  for (const { pause, text, first } of history) {
    clock.advance(pause % 90)
    const key = `${text} ${first % 4}`
    added = added.filter(({ at }) => clock.time - at < 100)
    const isNew = added.length < 5 && !added.some((one) => one.key === key)
    equal(keys.add(key), isNew, key)
    if (isNew) added.push({ key, at: clock.time })
  }
}

const keyHistories = fc.array(fc.record({
  pause: fc.nat(),
  text: fc.constantFrom('one', 'two'),
  first: fc.nat(3),
  labels: fc.constant(0),
  apart: fc.constant(0)
}), { maxLength: 40 })

/** Lines that are logged once per label, and the keys that are remembered for that. */
export const warnings = suiteOf(
  'warnings', fc.tuple(bursts, keyHistories), async ([history, keys]) => {
    runWarnings(history)
    runKeys(keys)
  }
)
