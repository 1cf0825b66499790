// The warning about connections that stop waiting for a child before it is restarted.
import t from 'tap'
import { buildRuntime, recordingLogger } from '../helpers.js'
import { ManualClock, ticks } from '../../properties/clock.js'

t.test('warns when a delay is longer than something waits for the name', async (t) => {
  for (const [timeLeft, name, warns] of [
    [300, 'room', true], [301, 'room', false], [undefined, 'room', false], [1, undefined, false]
  ] as const) {
    const clock = new ManualClock()
    const { logger, lines } = recordingLogger()
    const { runtime, processes } = buildRuntime({ clock, logger })
    const supervisor = processes.supervise({
      backoff: { initial: 300, max: 300, jitter: 0 },
      children: [{ id: 'child', name, start: (self) => self.serve({}) }]
    })
    const settle = async (): Promise<void> => {
      for (let i = 0; i < 20; i++) {
        clock.run()
        await ticks()
      }
    }
    await settle()
    if (timeLeft !== undefined) {
      for (const more of [100, 0]) {
        const waiter = { timeLeft: timeLeft + more, nameRegistered () {}, nameRefused () {} }
        runtime.nameTable.addWaiter('room', waiter)
      }
    }
    processes.exit(supervisor.children()[0].pid!, 'boom')
    await settle()
    const warned = lines.filter(({ level }) => level === 'warn')
    t.strictSame(warned.map(({ args }) => args), !warns
      ? []
      : [[
          { child: 'child', delay: 300, park: 300 },
          'the delay of a restart is longer than connections wait for the child'
        ]])
    runtime.shutdown.close(0).catch(() => {})
    await settle()
  }
})
