// `drain` and `health` of a system without clients, as in a worker.
import t from 'tap'
import { recordEvents } from '../events.js'
import { ManualClock, ticks } from '../properties/clock.js'
import { build, buildRuntime, recordingLogger } from './helpers.js'

t.test('waits for the delay when there are no clients, and processes go on', async (t) => {
  const clock = new ManualClock()
  const { logger, lines } = recordingLogger()
  const { processes } = buildRuntime({ clock, logger, node: 'drained' })
  const events = recordEvents(t, 'drained', 'drain')
  const drained = processes.drain({ delay: '2s', over: '10s' })
  t.equal(processes.drain({ delay: 5 }), drained, 'later calls join the first one')
  t.strictSame(processes.health(), { ready: false, problem: 'draining' })
  t.ok(processes.alive(processes.spawn((self) => self.receive())))
  clock.advance(1999)
  await ticks()
  t.equal(events.length, 1, 'it goes on')
  clock.advance(1)
  await drained
  t.strictSame(processes.health(), { ready: false, problem: 'draining' }, 'also after it')
  t.match(events, [
    { type: 'started', connections: 0, delay: 2000, over: 10_000 },
    { type: 'finished', duration: 2000, left: 0 }
  ])
  t.match(lines, [
    { level: 'info', args: [{ connections: 0, delay: 2000, over: 10_000 }, 'a drain has started'] },
    { level: 'info', args: [{ duration: 2000, left: 0 }, 'the drain has finished'] }
  ])
  t.equal(clock.runningTimers, 0)
})

t.test('ends the delay of a drain when the system closes', async (t) => {
  const processes = build(t)
  t.strictSame(processes.health(), { ready: true })
  const drained = processes.drain({ delay: '1h' })
  await processes.close()
  await drained
  t.strictSame(processes.health(), { ready: false, problem: 'closing' })
  await processes.drain()
})

t.test('rejects a drain with bad options, and starts nothing', async (t) => {
  const { processes } = buildRuntime()
  const codes = async (options: object): Promise<string> => {
    return await processes.drain(options).then(() => 'drained', ({ code }) => code)
  }
  t.equal(await codes({ over: 'soon' }), 'FST_PROCESS_INVALID_DURATION')
  t.equal(await codes({ delay: '25h' }), 'FST_PROCESS_INVALID_DURATION')
  t.equal(await codes({ ovre: 1 }), 'FST_PROCESS_INVALID_OPTIONS')
  t.strictSame(processes.health(), { ready: true })
})
