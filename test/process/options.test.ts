import t from 'tap'
import { checkProcessesOptions, checkSpawn } from '../../lib/process/options.js'
import { silentLogger } from '../../lib/process/index.js'
import type { ProcessesOptions } from '../../types/options.js'

t.test('accepts valid options', async (t) => {
  const good: ProcessesOptions[] = [
    {},
    { node: 'a-B_9' },
    { mailboxLimit: 1, mailboxBytes: 1 },
    { logger: silentLogger },
    { closeTimeout: '1s' },
    { keepEnds: 0 },
    { node: undefined, logger: undefined }
  ]
  for (const options of good) t.doesNotThrow(() => { checkProcessesOptions(options) })
})

t.test('names the option when it is wrong', async (t) => {
  const wrong: Array<[unknown, RegExp]> = [
    [null, /an object/],
    [5, /an object/],
    [{ nodes: 'a' }, /'nodes'/],
    [{ toString: 1 }, /'toString'/],
    [{ node: '' }, /'node'/],
    [{ node: 'a.b' }, /'node'/],
    [{ node: 'x'.repeat(65) }, /'node'/],
    [{ node: 5 }, /'node'/],
    [{ node: null }, /'node'/],
    [{ mailboxLimit: 0 }, /'mailboxLimit'/],
    [{ mailboxLimit: 1.5 }, /'mailboxLimit'/],
    [{ mailboxLimit: '5' }, /'mailboxLimit'/],
    [{ mailboxBytes: -1 }, /'mailboxBytes'/],
    [{ mailboxBytes: Infinity }, /'mailboxBytes'/],
    [{ keepEnds: -1 }, /'keepEnds'/],
    [{ logger: null }, /'logger'/],
    [{ logger: {} }, /'logger'/],
    [{ logger: 'pino' }, /'logger'/],
    [{ logger: { child () {} } }, /'logger'/]
  ]
  for (const [options, message] of wrong) {
    t.throws(
      () => {
        checkProcessesOptions(options as ProcessesOptions)
      },
      { code: 'FST_PROCESS_INVALID_OPTIONS', message }
    )
  }
})

const body = (): void => {}

t.test('checkSpawn throws for a wrong body or option', async (t) => {
  t.doesNotThrow(() => { checkSpawn(body, { args: [1], mailboxLimit: 1, trapLinks: true }) })
  const wrong: Array<[unknown, unknown]> = [
    [undefined, {}],
    [null, {}],
    ['body', {}],
    [{}, {}],
    [body, null],
    [body, 5],
    [body, 'name'],
    [body, { args: null }],
    [body, { args: 'abc' }],
    [body, { args: { length: 1 } }],
    [body, { mailboxLimit: 0 }],
    [body, { mailboxLimit: '5' }],
    [body, { mailboxLimit: NaN }],
    [body, { mailboxLimit: null }],
    [body, { trapLinks: 'yes' }],
    [body, { trapLinks: null }]
  ]
  for (const [given, options] of wrong) {
    t.throws(
      () => {
        checkSpawn(given, options)
      },
      { code: 'FST_PROCESS_INVALID_SPEC' }
    )
  }
})
