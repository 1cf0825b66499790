// The suites of one engine. Those of connections are the suites for one node, with the targets, and
// other processes that use connections, on nodes in operating-system processes of their own.
import t from 'tap'
import { contract } from './contract.js'
import type { EngineName } from './worker.js'

/** @param absent the reason to skip the suites, or false */
export async function suites (engine: EngineName, absent: string | false = false): Promise<void> {
  if (absent !== false) {
    t.test(`the contract over ${engine}`, { skip: absent }, () => {})
    return
  }
  contract(engine)
  process.env.TARGETS = engine
  await import('../../integration/connection/messages.test.js')
  await import('../../integration/connection/transfer/transfer.test.js')
  await import('../../integration/connection/transfer/order.test.js')
  await import('../../integration/connection/closing/endings.test.js')
  await import('../../integration/connection/closing/close-frames.test.js')
  await import('../../integration/connection/pressure.test.js')
  await import('../../integration/connection/model.test.js')
}
