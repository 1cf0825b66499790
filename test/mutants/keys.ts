import type { Mutant } from './mutant.js'

const suites = ['keys']
/** The clients of keys notice it. */
const ofClients = ['visits']

export const keyMutants: readonly Mutant[] = [
  {
    name: 'the next instance of a key does not wait for the inbox of the one before',
    file: 'process/keyed/key.ts',
    search: 'if (instance?.isHeld !== true || this.#draining !== undefined) return',
    replace: 'if (instance?.isHeld !== true) return',
    suites
  },
  {
    name: 'an instance that may start is not released',
    file: 'process/keyed/key.ts',
    search: '    this.#draining = undefined\n    this.#releaseIfDue()\n',
    replace: '    this.#draining = undefined\n',
    suites
  },
  {
    name: 'an instance keeps its address when it refuses mail',
    file: 'process/keyed/key.ts',
    search: '    this.#host.nameTable.unregister(this.address)\n',
    replace: '',
    suites
  },
  {
    name: 'a key does not know the instance that drains',
    file: 'process/keyed/key.ts',
    search: '    if (!instance.hasEnded) this.#draining = instance\n',
    replace: '',
    suites
  },
  {
    name: 'a key starts a second instance beside the first one',
    file: 'process/keyed/key.ts',
    search: '    if (this.#current !== undefined) return success(this.#current)\n',
    replace: '',
    suites
  },
  {
    name: 'a key is refused after each failure',
    file: 'process/keyed/key.ts',
    search: 'if (this.#failures.recordRestart()) return',
    replace: 'this.#failures.recordRestart()',
    suites
  },
  {
    name: 'the delay after a failure never ends',
    file: 'process/keyed/key.ts',
    search: '      this.#owner.deadlines.schedule(this, delay)\n',
    replace: '',
    suites
  },
  {
    name: 'dead keys are kept',
    file: 'process/keyed/key.ts',
    search: '      this.#owner.forget(this)\n',
    replace: '',
    suites
  },
  {
    name: 'the end of an instance is not counted',
    file: 'process/keyed/kinds.ts',
    search: '    this.#alive--\n',
    replace: '',
    suites
  },
  {
    name: 'max is one too many',
    file: 'process/keyed/kinds.ts',
    search: 'this.#alive >= this.plan.max',
    replace: 'this.#alive > this.plan.max',
    suites
  },
  {
    name: 'a request that waits for a start is not told of its failure',
    file: 'process/keyed/instance.ts',
    search: '    for (const waiter of this.#takeWaiters()) waiter.startFailed(error)\n',
    replace: '',
    suites
  },
  {
    name: 'an instance never idles',
    file: 'process/keyed/instance.ts',
    search: "    else this.stopWaiting('normal')\n",
    replace: '',
    suites
  },
  {
    name: 'an instance that is held starts although it was cancelled',
    file: 'process/keyed/instance.ts',
    search: '    if (!this.isHeld) return super.cancel(from, reason, origin)\n',
    replace: '    if (this.pid !== undefined) return super.cancel(from, reason, origin)\n',
    suites
  },
  {
    name: 'late visitors are not joined to the next process',
    file: 'connection/park/policy.ts',
    search: "return reason === 'normal' && !tookJoin && isKeyAddress(name)",
    replace: "return reason === 'normal' && !tookJoin && name === ''",
    suites: ofClients
  },
  {
    name: 'the mail of late visitors is dropped',
    file: 'process/keyed/instance.ts',
    search: "if (reason !== 'normal') return super.takeUnreadJoins(reason)",
    replace: "if (reason !== '') return super.takeUnreadJoins(reason)",
    suites: ofClients
  },
  {
    name: 'the mail of a late visitor that has gone elsewhere is not counted',
    file: 'process/keyed/instance.ts',
    search: "      dropMail: () => { this.host.counters.deadLetter('ended', left) }\n",
    replace: "      dropMail: () => { this.host.counters.deadLetter('ended', clients.size) }\n",
    suites: ofClients
  },
  {
    name: 'a transfer to the process that has the client leaves and joins it',
    file: 'connection/bound-client.ts',
    search: 'if (answer.value.pid === this.target.pid) {',
    replace: "if (answer.value.pid === ('' as Target['pid'])) {",
    suites: ofClients
  },
  {
    name: 'a connection that waits for a key does not start its process',
    file: 'connection/park/parked-target.ts',
    search: 'const demanded = kinds.demand(this.#name)',
    replace: "const demanded = kinds.demand('')",
    suites: ofClients
  }
]
