import t from 'tap'
import { RestartIntensity } from '../../../lib/process/supervisor/intensity.js'

function build (maxRestarts: number, period: number): { intensity: RestartIntensity, pass (ms: number): void } {
  let clock = 1000
  return { intensity: new RestartIntensity(maxRestarts, period, () => clock), pass: (ms) => { clock += ms } }
}

t.test('so many restarts within a period, and no more', async (t) => {
  const { intensity, pass } = build(2, 100)
  t.ok(intensity.recordRestart())
  pass(60)
  t.ok(intensity.recordRestart())
  pass(39)
  t.notOk(intensity.recordRestart())
})

t.test('restarts older than a period are forgotten', async (t) => {
  const { intensity, pass } = build(1, 100)
  for (let i = 0; i < 5; i++) {
    t.ok(intensity.recordRestart())
    pass(100)
  }
})

t.test('zero allows none', async (t) => {
  t.notOk(build(0, 100).intensity.recordRestart())
})

t.test('the clock stands still while a restart waits, also while several do', async (t) => {
  const { intensity, pass } = build(1, 100)
  t.ok(intensity.recordRestart())
  intensity.pauseClock()
  pass(500)
  intensity.pauseClock()
  pass(500)
  intensity.resumeClock()
  pass(500)
  intensity.resumeClock()
  pass(99)
  t.notOk(intensity.recordRestart(), '99 ms of running time')
  pass(1)
  t.notOk(intensity.recordRestart())
  pass(100)
  t.ok(intensity.recordRestart())
  intensity.pauseClock()
  pass(100)
  t.notOk(intensity.recordRestart(), 'while one waits, too')
})

t.test('the real clock is the default', async (t) => {
  t.ok(new RestartIntensity(1, 1).recordRestart())
})
