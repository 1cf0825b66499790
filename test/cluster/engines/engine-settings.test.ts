import t from 'tap'
import { engineSettings } from '../../../lib/cluster/engines/engine-settings.js'

t.test('applies defaults, and returns the options of the client', async (t) => {
  t.strictSame(engineSettings({}), {
    settings: { prefix: 'fwr', timing: 'default', startTimeout: '10s', whenNameTaken: 'close' },
    own: {}
  })
  t.strictSame(
    engineSettings({
      prefix: 'a_B-9',
      timing: 'patient',
      startTimeout: 500,
      whenNameTaken: 'stay',
      servers: 'x'
    } as object),
    {
      settings: { prefix: 'a_B-9', timing: 'patient', startTimeout: 500, whenNameTaken: 'stay' },
      own: { servers: 'x' }
    }
  )
})

t.test('throws when an option is invalid', async (t) => {
  const refused = { code: 'FST_CLUSTER_INVALID_OPTIONS' }
  for (const prefix of ['', 'a.b', 'x'.repeat(33), 'a*', 5, null]) {
    t.throws(() => engineSettings({ prefix: prefix as string }), refused)
  }
  t.throws(() => engineSettings({ timing: 'slow' as 'patient' }), refused)
  for (const options of [null, 'nats://x', undefined]) {
    t.throws(() => engineSettings(options as unknown as object), refused)
  }
  for (const whenNameTaken of ['leave', true]) {
    t.throws(() => engineSettings({ whenNameTaken } as never), {
      code: 'FST_CLUSTER_INVALID_OPTIONS',
      message: /'whenNameTaken' must be 'close' or 'stay'/
    })
  }
  for (const startTimeout of ['soon', 0, -1]) {
    t.throws(() => engineSettings({ startTimeout }), { code: 'FST_PROCESS_INVALID_DURATION' })
  }
})
