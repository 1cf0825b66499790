import t from 'tap'
import { checkProcessesOptions } from '../../lib/process/options.js'
import { silentLogger } from '../../lib/process/logger.js'
import type { ProcessesOptions } from '../../types/processes.js'

t.test('good options pass', async (t) => {
  const good: ProcessesOptions[] = [
    {}, { node: 'a-B_9' }, { mailboxLimit: 1, mailboxBytes: 1 }, { logger: silentLogger }, { closeTimeout: '1s' }, { node: undefined, logger: undefined }
  ]
  for (const options of good) t.doesNotThrow(() => { checkProcessesOptions(options) })
})

t.test('anything else is refused with the option named', async (t) => {
  const wrong: Array<[unknown, RegExp]> = [
    [null, /an object/], [5, /an object/], [{ nodes: 'a' }, /'nodes'/], [{ toString: 1 }, /'toString'/],
    [{ node: '' }, /'node'/], [{ node: 'a.b' }, /'node'/], [{ node: 'x'.repeat(65) }, /'node'/], [{ node: 5 }, /'node'/], [{ node: null }, /'node'/],
    [{ mailboxLimit: 0 }, /'mailboxLimit'/], [{ mailboxLimit: 1.5 }, /'mailboxLimit'/], [{ mailboxLimit: '5' }, /'mailboxLimit'/],
    [{ mailboxBytes: -1 }, /'mailboxBytes'/], [{ mailboxBytes: Infinity }, /'mailboxBytes'/],
    [{ logger: null }, /'logger'/], [{ logger: {} }, /'logger'/], [{ logger: 'pino' }, /'logger'/], [{ logger: { child () {} } }, /'logger'/]
  ]
  for (const [options, message] of wrong) {
    t.throws(() => { checkProcessesOptions(options as ProcessesOptions) }, { code: 'FST_PROCESS_INVALID_OPTIONS', message })
  }
})
