import { crowd, processes, Tally } from './system.js'
import { time, type Case, type TimingOptions } from './timing.js'

const messages = 10_000

/** Messages for 1, 100 and 10 000 processes that can all run. */
export async function scheduler (options: TimingOptions & { counts?: readonly number[] }) {
  const tally = new Tally()
  const cases: Case[] = []
  for (const count of options.counts ?? [1, 100, 10_000]) {
    const pids = await crowd(count, (self) => self.serve({ tick: () => { tally.one() } }))
    const handlers = new Map(pids.map((pid) => [pid, (_payload: number) => { tally.one() }]))
    const baseline = `a Map of ${count.toLocaleString('en')} handlers`
    cases.push({
      name: baseline,
      operations: messages,
      run: () => { for (let i = 0; i < messages; i++) handlers.get(pids[i % count])!(i) }
    }, {
      name: `${count.toLocaleString('en')} runnable`,
      baseline,
      operations: messages,
      run: () => {
        const done = tally.after(messages)
        for (let i = 0; i < messages; i++) processes.send(pids[i % count], 'tick', i)
        return done
      }
    })
  }
  return await time(cases, options)
}
