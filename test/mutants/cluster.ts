import type { Mutant } from './mutant.js'

export const clusterMutants: readonly Mutant[] = [
  {
    name: 'a lease that was idle is acquired as it is',
    file: 'cluster/lease.ts',
    search: 'if (this.#untilRenewal <= 0) return await this.renew()\n    this.#schedule(this.#untilRenewal)',
    replace: 'if (!this.valid) return await this.renew()\n    this.#schedule(this.#host.timing.renew)',
    suites: ['names']
  },
  {
    name: 'a lease that ends without a name counts as a fence',
    file: 'cluster/names.ts',
    search: '    if (lost.length === 0) return\n',
    replace: '',
    suites: ['names']
  }
]
