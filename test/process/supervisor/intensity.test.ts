import t from 'tap'
import { RestartIntensity } from '../../../lib/process/supervisor/intensity.js'

function build (maxRestarts: number, period: number): { intensity: RestartIntensity, pass (ms: number): void } {
  let clock = 1000
  return { intensity: new RestartIntensity(maxRestarts, period, () => clock), pass: (ms) => { clock += ms } }
}

t.test('so many restarts within a period, and no more', async (t) => {
  const { intensity, pass } = build(2, 100)
  t.ok(intensity.allows())
  pass(60)
  t.ok(intensity.allows())
  pass(39)
  t.notOk(intensity.allows())
})

t.test('restarts older than a period are forgotten', async (t) => {
  const { intensity, pass } = build(1, 100)
  for (let i = 0; i < 5; i++) {
    t.ok(intensity.allows())
    pass(100)
  }
})

t.test('zero allows none', async (t) => {
  t.notOk(build(0, 100).intensity.allows())
})

t.test('the clock stands still while a restart waits, also while several do', async (t) => {
  const { intensity, pass } = build(1, 100)
  t.ok(intensity.allows())
  intensity.waitBegins()
  pass(500)
  intensity.waitBegins()
  pass(500)
  intensity.waitEnds()
  pass(500)
  intensity.waitEnds()
  pass(99)
  t.notOk(intensity.allows(), '99 ms of running time')
  pass(1)
  t.notOk(intensity.allows())
  pass(100)
  t.ok(intensity.allows())
  intensity.waitBegins()
  pass(100)
  t.notOk(intensity.allows(), 'while one waits, too')
})

t.test('the real clock is the default', async (t) => {
  t.ok(new RestartIntensity(1, 1).allows())
})
