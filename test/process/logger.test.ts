import t from 'tap'
import { silentLogger } from '../../lib/process/logger.js'

t.test('the logger of a system without one is silent, and so are its children', async (t) => {
  const logger = silentLogger.child({ pid: '1@local.a' })
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) t.equal(logger[level]('hello'), undefined)
})
