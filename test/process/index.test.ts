import t from 'tap'
import { createProcesses, errorCodes, silentLogger } from '../../lib/process/index.js'
import { recordingLogger } from './helpers.js'
import type { ProcessesOptions } from '../../types/options.js'

t.test('needs no options', async (t) => {
  for (const options of [
    undefined,
    {},
    {
      node: undefined,
      mailboxLimit: undefined,
      mailboxBytes: undefined,
      closeTimeout: undefined,
      keepEnds: undefined,
      logger: undefined
    }
  ]) {
    const processes = createProcesses(options)
    t.equal(processes.node, 'local')
    t.match(
      processes.spawn(() => {}),
      /^1@local\.[a-z0-9]+$/
    )
    await processes.close()
  }
})

t.test('applies its options', async (t) => {
  const { logger, lines } = recordingLogger()
  const processes = createProcesses({
    node: 'worker-1',
    mailboxLimit: 1,
    mailboxBytes: 10,
    closeTimeout: '1s',
    logger
  })
  const pid = processes.spawn(async (self) => {
    self.log.info('hello')
    await self.receive({ topic: '@cancel' })
  })
  t.match(pid, /@worker-1\./)
  t.ok(processes.send(pid, 'x'))
  t.notOk(processes.send(pid, 'x'))
  await processes.close()
  t.match(lines, [{ level: 'info', args: ['hello'] }])
})

t.test('throws for wrong options', async (t) => {
  for (const options of [null, 5, { nodes: 'a' }, { node: 'a b' }]) {
    t.throws(
      () => createProcesses(options as ProcessesOptions),
      errorCodes.FST_PROCESS_INVALID_OPTIONS
    )
  }
  t.throws(() => createProcesses({ closeTimeout: 'soon' }), {
    code: 'FST_PROCESS_INVALID_DURATION'
  })
})

t.test('keeps two systems apart', async (t) => {
  const [one, two] = [createProcesses(), createProcesses()]
  const pid = one.spawn((self) => self.receive())
  t.notOk(two.alive(pid))
  t.notOk(two.send(pid, 'x'))
  await Promise.all([one.close(), two.close()])
})

t.test('the default logger and its children write nothing', async (t) => {
  const logger = silentLogger.child({ pid: '1@local.a' })
  for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const) {
    t.equal(logger[level]('hello'), undefined)
  }
})
