import { EventEmitter } from 'node:events'
import { processes, sleeper, Tally } from './system.js'
import { repeat, time, type TimingOptions } from './timing.js'

const runs = 100

/** Monitors, links and what an exit does to them. */
export async function relations (options: TimingOptions) {
  const { self } = await sleeper()
  const { pid } = await sleeper()
  const emitter = new EventEmitter()
  const listener = (): void => {}
  const tally = new Tally()
  const watcher = await sleeper((self) =>
    self.serve({
      '@exit': () => {
        tally.one()
      },
      '@link_down': () => {
        tally.one()
      }
    })
  )
  watcher.self.trapLinks = true
  return await time(
    [
      {
        name: 'EventEmitter: once, off',
        operations: runs,
        run: repeat(runs, () => {
          emitter.once('end', listener).off('end', listener)
        })
      },
      {
        name: 'monitor, demonitor',
        baseline: 'EventEmitter: once, off',
        operations: runs,
        run: repeat(runs, () => {
          self.demonitor(self.monitor(pid))
        })
      },
      {
        name: 'link, unlink',
        baseline: 'EventEmitter: once, off',
        operations: runs,
        run: repeat(runs, () => {
          self.link(pid)
          self.unlink(pid)
        })
      },
      {
        name: 'spawn, exit',
        operations: runs,
        run: repeat(runs, () => {
          processes.exit(processes.spawn(() => {}))
        })
      },
      {
        name: 'spawn, exit, and a monitor is told',
        baseline: 'spawn, exit',
        operations: runs,
        run: () => {
          const done = tally.after(runs)
          repeat(runs, () => {
            processes.exit(watcher.self.spawnMonitor(() => {}).pid)
          })()
          return done
        }
      },
      {
        name: 'spawn, exit, and a link is told',
        baseline: 'spawn, exit',
        operations: runs,
        run: () => {
          const done = tally.after(runs)
          repeat(runs, () => {
            processes.exit(
              watcher.self.spawnLink(() => {}),
              'crash'
            )
          })()
          return done
        }
      }
    ],
    options
  )
}
