import { processes, Tally } from './system.js'
import { time, type TimingOptions } from './timing.js'

const runs = 1000

/** The life of a process, compared with a call of its async function. */
export async function spawn (options: TimingOptions) {
  const tally = new Tally()
  async function body (): Promise<void> {
    tally.one()
  }
  return await time([
    {
      name: 'an async function',
      operations: runs,
      run: () => {
        const done = tally.after(runs)
        for (let i = 0; i < runs; i++) Promise.resolve().then(body)
        return done
      }
    },
    {
      name: 'spawn, run, end',
      baseline: 'an async function',
      operations: runs,
      run: () => {
        const done = tally.after(runs)
        for (let i = 0; i < runs; i++) processes.spawn(body)
        return done
      }
    }
  ], options)
}
