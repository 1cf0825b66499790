import t from 'tap'
import { normalizeOptions, overrideSettings } from '../../lib/registration/options.js'
import type { ResumeOptions } from '../../types/relay.js'

const buffer = { bytes: 256 * 1024, frames: 4096 }

/** The settings of a registration with this option. */
function resumeOf (resume: unknown, more = {}): unknown {
  return normalizeOptions({ resume, ...more }).route.resume
}

t.test('is off by default', async (t) => {
  t.equal(resumeOf(undefined), false)
  t.equal(resumeOf(false), false)
})

t.test('has its defaults when it is on', async (t) => {
  const policy = { window: 60_000, buffer, overflow: 'close', notify: false }
  const expected = { policy, owner: undefined }
  t.strictSame(resumeOf(true), expected)
  t.strictSame(resumeOf({}), expected)
  t.strictSame(resumeOf({ window: undefined }), expected)
})

t.test('takes its fields', async (t) => {
  const owner = (): string => 'ada'
  const resume: ResumeOptions = { window: '1m30s', buffer: 0, notify: true, owner }
  t.strictSame(resumeOf(resume, { overflow: 'drop' }), {
    policy: {
      window: 90_000, buffer: { bytes: 0, frames: 4096 }, overflow: 'drop', notify: true
    },
    owner
  })
})

t.test('is overridden by a route, which may override `overflow` alone', async (t) => {
  const { route } = normalizeOptions({ resume: { window: '2s' } })
  t.match(overrideSettings(route, { overflow: 'drop' }).resume, {
    policy: { window: 2000, overflow: 'drop' }
  })
  t.match(overrideSettings(route, { resume: true }).resume, { policy: { window: 60_000 } })
  t.equal(overrideSettings(route, { resume: false }).resume, false)
  const plain = normalizeOptions({}).route
  t.equal(overrideSettings(plain, { maxPayload: 1 }).resume, false)
})

t.test('rejects values that are not valid', async (t) => {
  const wrong: Array<[unknown, RegExp]> = [
    ['60s', /'resume' must be a boolean or an object, got '60s'/],
    [1000, /'resume' must be a boolean or an object/],
    [{ window: 999 }, /'resume.window' must be a duration of 1000 to 3600000 ms, got '999'/],
    [{ window: '61m' }, /'resume.window' must be/],
    [{ window: 'soon' }, /'resume.window' must be/],
    [{ buffer: -1 }, /'resume.buffer' must be an integer from 0, got '-1'/],
    [{ owner: 'ada' }, /'resume.owner' must be a function, got 'ada'/],
    [{ notify: 1 }, /'resume.notify' must be a boolean, got '1'/],
    [{ windows: 1000 }, /'resume' has no field 'windows', only window, buffer, owner, notify/]
  ]
  for (const [value, message] of wrong) {
    t.throws(() => resumeOf(value), { code: 'FST_WS_RELAY_INVALID_OPTIONS', message })
    const override = (): unknown => overrideSettings(normalizeOptions({}).route, { resume: value })
    t.throws(override, { code: 'FST_WS_RELAY_INVALID_OPTIONS', message })
  }
})
