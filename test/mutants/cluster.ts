import type { Mutant } from './mutant.js'

export const clusterMutants: readonly Mutant[] = [
  {
    name: 'a lease that was idle is acquired as it is',
    file: 'cluster/names/lease.ts',
    search:
      'if (this.#untilRenewal <= 0) return await this.renew()\n    this.#schedule(this.#untilRenewal)',
    replace:
      'if (!this.valid) return await this.renew()\n    this.#schedule(this.#context.timing.renew)',
    suites: ['names']
  },
  {
    name: 'a lease that ends without a name counts as a fence',
    file: 'cluster/names/leased-names.ts',
    search: '    if (lostNames.length === 0) return\n',
    replace: '',
    suites: ['names']
  },
  {
    name: 'a payload goes to the first frame that has it',
    file: 'cluster/link/open-sends.ts',
    search: 'firstFrom(candidates, this.#lastFor.get(to) ?? 0)',
    replace: 'candidates[0]',
    suites: ['fan-out']
  },
  {
    name: 'nobody is told of what is lost with a channel',
    file: 'cluster/link/channel-sender.ts',
    search: 'if (isMessage(type)) missed.addReceiver(to)',
    replace: '',
    suites: ['fan-out']
  },
  {
    name: 'bytes of an open send are those of its sender',
    file: 'cluster/link/open-sends.ts',
    search: 'fields.body === payload ? Buffer.from(fields.body!) : fields.body!',
    replace: 'fields.body!',
    suites: ['fan-out']
  }
]
