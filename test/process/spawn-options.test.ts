import t from 'tap'
import { checkSpawn } from '../../lib/process/spawn-options.js'

const body = (): void => {}

t.test('what spawn is given is checked before anything starts', async (t) => {
  t.doesNotThrow(() => { checkSpawn(body, { args: [1], mailboxLimit: 1, trapLinks: true }) })
  const wrong: Array<[unknown, unknown]> = [
    [undefined, {}], [null, {}], ['body', {}], [{}, {}],
    [body, null], [body, 5], [body, 'name'],
    [body, { args: null }], [body, { args: 'abc' }], [body, { args: { length: 1 } }],
    [body, { mailboxLimit: 0 }], [body, { mailboxLimit: '5' }], [body, { mailboxLimit: NaN }], [body, { mailboxLimit: null }],
    [body, { trapLinks: 'yes' }], [body, { trapLinks: null }]
  ]
  for (const [given, options] of wrong) t.throws(() => { checkSpawn(given, options) }, { code: 'FST_PROCESS_INVALID_SPEC' })
})
