import type { Mutant } from './mutant.js'

const client = 'connection/bound-client.ts'
const target = 'connection/park/parked-target.ts'
const suites = ['park']

export const parkMutants: readonly Mutant[] = [
  {
    name: 'a successor is not told that the client rejoins',
    file: client,
    search: 'this.join(rejoined)',
    replace: 'this.join(false)',
    suites
  },
  {
    name: 'a successor gets the messages that waited before the join',
    file: client,
    search: '    this.join(rejoined)\n' +
      '    for (const message of this.rareState.parked!.stop()) this.sendHeld(message)\n',
    replace: '    for (const message of this.rareState.parked!.stop()) this.sendHeld(message)\n' +
      '    this.join(rejoined)\n',
    suites
  },
  {
    name: 'a parked client is still read',
    file: client,
    search: '    this.transport.pause()\n    this.relay.counters.connectionParked',
    replace: '    this.relay.counters.connectionParked',
    suites
  },
  {
    name: 'a client is not read again after a rejoin',
    file: client,
    search: 'from, target.pid)\n    this.resumeReading()\n',
    replace: 'from, target.pid)\n',
    suites
  },
  {
    name: 'a connection parks when its target ends in order',
    file: 'connection/park/policy.ts',
    search: '  if (!isOrderly(reason)) return time !== 0\n',
    replace: '  if (reason !== "") return time !== 0\n',
    suites
  },
  {
    name: 'a transfer keeps the time of an earlier park',
    file: client,
    search: '    if (this.#rareState !== undefined) this.#rareState.parked = undefined\n',
    replace: '',
    suites
  },
  {
    name: 'a connection that ends while it is parked goes on waiting',
    file: client,
    search: "this.relay.runtime.counters.deadLetter('none', parked.stop().length)",
    replace: '',
    suites
  },
  {
    name: 'messages that a stopping target refuses are not held',
    file: client,
    search: 'park === undefined || !this.isOpen) this.countStopping()',
    replace: 'park !== undefined || !this.isOpen) this.countStopping()',
    suites
  },
  {
    name: 'messages that a stopping target refuses at the end of a connection are not counted',
    file: client,
    search: 'park === undefined || !this.isOpen) this.countStopping()',
    replace: 'park === undefined) this.countStopping()',
    suites
  },
  {
    name: 'each failure starts the time again',
    file: target,
    search: 'this.#ends ??= clock.now() + (isFailure',
    replace: 'this.#ends = clock.now() + (isFailure',
    suites
  },
  {
    name: 'the time goes on when a successor has taken the join',
    file: target,
    search: '      this.#tookJoin = true\n      this.#ends = undefined\n',
    replace: '      this.#tookJoin = true\n',
    suites
  },
  {
    name: 'the time over closes with 1013 when a process has taken the join',
    file: target,
    search: '      this.#tookJoin = true\n',
    replace: '',
    suites
  },
  {
    name: 'a connection parks without a deadline',
    file: target,
    search: '    this.#relay.deadlines.schedule(this, this.timeLeft)\n',
    replace: '',
    suites
  },
  {
    name: 'a process that has the name already is not joined',
    file: target,
    search: '    if (nameTable.lookup(this.#name) !== undefined) this.nameRegistered()\n',
    replace: '    if (nameTable.lookup(this.#name) !== undefined) nameTable.size\n',
    suites
  },
  {
    name: 'a connection that takes the name ends the wait for it',
    file: target,
    search: '    nameTable.addWaiter(this.#name, this)\n    if (starting',
    replace: '    if (starting',
    suites
  },
  {
    name: 'a process is joined in the middle of its start',
    file: target,
    search: 'contextClock.soon(() => { this.#seekTarget() })',
    replace: 'contextClock.soon; this.#seekTarget()',
    suites
  },
  {
    name: 'what was held is handed over again at the next rejoin',
    file: target,
    search: '    this.#messages = []\n',
    replace: '',
    suites
  },
  {
    name: 'what is held is also kept as unread mail',
    file: target,
    search: '    this.#unread = []\n    this.#messages = []\n',
    replace: '    this.#unread = this.#messages = []\n',
    suites
  },
  {
    name: 'a park keeps the name of the first target after a transfer',
    file: 'connection/park/policy.ts',
    search: 'const name = target ?? policy?.name',
    replace: 'const name = policy?.name ?? target',
    suites
  }
]
