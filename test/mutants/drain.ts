import type { Mutant } from './mutant.js'

const file = 'registration/paced-close.ts'
const suites = ['drains']

export const drainMutants: readonly Mutant[] = [
  {
    name: 'a client is closed in the step after its advice',
    file,
    search: 'until: now + rest',
    replace: 'until: now',
    suites
  },
  {
    name: 'a client that is away takes its turn among the others',
    file,
    search: '      if (next.transport.away === undefined) return next\n',
    replace: '      return next\n',
    suites
  },
  {
    name: 'a later end puts the deadline of a drain off',
    file,
    search: 'Math.min(this.#turnsEnd, this.#server.clock.now() + over)',
    replace: 'this.#server.clock.now() + over',
    suites
  },
  {
    name: 'a connection that opens during a drain has no turn',
    file,
    search: "    if (this.#state === 'pacing') this.#enqueue(connection)\n    else if",
    replace: "    if (this.#state === 'pacing') return\n    else if",
    suites
  },
  {
    name: 'any number of connections have their turns in one step',
    file,
    search: 'Math.floor(Math.min(this.#due, this.#allowance))',
    replace: 'Math.floor(this.#due)',
    suites
  },
  {
    name: 'the fraction of a turn is lost in each step',
    file,
    search: '    this.#due -= count\n',
    replace: '    this.#due = 0\n',
    suites
  },
  {
    name: 'a drain does not wait for upgrades that are under way',
    file,
    search: 'if (connections.size + pendingUpgrades === 0)',
    replace: 'if (connections.size === 0)',
    suites
  },
  {
    name: 'a drain does not wait for closing handshakes',
    file,
    search: 'if (left <= -2 * closeTimeout) return this.#finish()',
    replace: 'if (left <= -closeTimeout) return this.#finish()',
    suites
  }
]
