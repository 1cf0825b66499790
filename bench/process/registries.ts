import { crowd, processes, sleeper, Tally } from './system.js'
import { repeat, time, type TimingOptions } from './timing.js'

const runs = 1000
const members = 1000

/** Names, compared with a Map. */
export async function names (options: TimingOptions) {
  const { pid } = await sleeper()
  const map = new Map<string, string>([['lobby', pid]])
  const { names } = processes
  const other = Array.from({ length: runs }, (_, i) => `room:${i}`)
  names.register('lobby', pid)
  const seen = { found: 0 }
  return await time(
    [
      {
        name: 'Map: get',
        operations: runs,
        run: repeat(runs, () => {
          if (map.get('lobby') === pid) seen.found++
        })
      },
      {
        name: 'lookup',
        baseline: 'Map: get',
        operations: runs,
        run: repeat(runs, () => {
          if (names.lookup('lobby') === pid) seen.found++
        })
      },
      {
        name: 'Map: set, delete',
        operations: runs,
        run: repeat(runs, (i) => {
          map.set(other[i], pid)
          map.delete(other[i])
        })
      },
      {
        name: 'register, unregister',
        baseline: 'Map: set, delete',
        operations: runs,
        run: repeat(runs, (i) => {
          names.register(other[i], pid)
          names.unregister(other[i])
        })
      }
    ],
    options
  )
}

/**
 * Groups compared with a Set, and a broadcast compared with a loop of sends. Each join uses a new
 * PID, because a Map iterates over deleted entries: the same key would measure only that.
 */
export async function groups (options: TimingOptions) {
  const { groups } = processes
  const tally = new Tally()
  const pids = await crowd(members, (self) => self.serve({ tick: () => { tally.one() } }))
  const others = await crowd(runs, (self) => self.serve({}))
  const set = new Set<string>(pids)
  for (const member of pids) groups.join('crowd', member)
  return await time([
    {
      name: 'Set of 1000: add, delete',
      operations: runs,
      run: repeat(runs, (i) => {
        set.add(others[i])
        set.delete(others[i])
      })
    },
    {
      name: 'join, leave a group of 1000',
      baseline: 'Set of 1000: add, delete',
      operations: runs,
      run: repeat(runs, (i) => {
        groups.join('crowd', others[i])
        groups.leave('crowd', others[i])
      })
    },
    {
      name: 'join, leave a group of its own',
      baseline: 'Set of 1000: add, delete',
      operations: runs,
      run: repeat(runs, (i) => {
        groups.join('lobby', others[i])
        groups.leave('lobby', others[i])
      })
    },
    {
      name: 'a loop of sends to 1000, a message',
      operations: members,
      run: () => {
        const done = tally.after(members)
        for (const member of pids) processes.send(member, 'tick')
        return done
      }
    },
    {
      name: 'broadcast to 1000, a message',
      baseline: 'a loop of sends to 1000, a message',
      operations: members,
      run: () => {
        const done = tally.after(members)
        groups.broadcast('crowd', 'tick')
        return done
      }
    }
  ], options)
}
