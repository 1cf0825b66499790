import t from 'tap'
import { engineParser } from '../../../lib/cluster/engines/engine-settings.js'

const parse = engineParser({}, 'client')

t.test('applies defaults, and returns the options of the client', async (t) => {
  t.strictSame(parse({}), {
    settings: { prefix: 'fwr', timing: 'default', startTimeout: '10s', whenNameTaken: 'close' },
    own: {},
    client: {}
  })
  t.strictSame(
    parse({
      prefix: 'a_B-9',
      timing: 'patient',
      startTimeout: 500,
      whenNameTaken: 'stay',
      servers: 'x'
    } as object),
    {
      settings: { prefix: 'a_B-9', timing: 'patient', startTimeout: 500, whenNameTaken: 'stay' },
      own: {},
      client: { servers: 'x' }
    }
  )
})

t.test('throws when an option is invalid', async (t) => {
  const refused = { code: 'FST_CLUSTER_INVALID_OPTIONS' }
  for (const prefix of ['', 'a.b', 'x'.repeat(33), 'a*', 5, null]) {
    t.throws(() => parse({ prefix: prefix as string }), refused)
  }
  t.throws(() => parse({ timing: 'slow' as 'patient' }), refused)
  for (const options of [null, 'nats://x', undefined]) {
    t.throws(() => parse(options as unknown as object), refused)
  }
  for (const whenNameTaken of ['leave', true]) {
    t.throws(() => parse({ whenNameTaken } as never), {
      code: 'FST_CLUSTER_INVALID_OPTIONS',
      message: /'whenNameTaken' must be 'close' or 'stay'/
    })
  }
  for (const startTimeout of ['soon', 0, -1]) {
    t.throws(() => parse({ startTimeout }), { code: 'FST_PROCESS_INVALID_DURATION' })
  }
})
