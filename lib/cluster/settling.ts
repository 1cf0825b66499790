import { generationKey } from './lease.js'
import type { Clock } from './clock.js'
import type { Generation, Lease } from './lease.js'
import type { Pauses } from './pauses.js'
import type { Register } from './register.js'
import type { Timing } from './timing.js'

/** What it takes to know how old a store is. */
export interface SettlingHost {
  readonly clock: Clock
  readonly timing: Timing
  readonly register: Register
}

/** A store that is found new may have held names before: in it, none is given away too early. */
export class Settling {
  readonly #host: SettlingHost
  readonly #lease: Pick<Lease, 'store' | 'acquire'>
  readonly #pauses: Pauses
  /** When a generation that is not settled was first seen. */
  #unsettled: { readonly id: string, readonly since: number } | undefined

  constructor (host: SettlingHost, lease: Pick<Lease, 'store' | 'acquire'>, pauses: Pauses) {
    this.#host = host
    this.#lease = lease
    this.#pauses = pauses
  }

  /** Waits until a store that is new has been so for as long as the leases of another may last. @returns which it is */
  async settled (): Promise<string> {
    const { clock, timing, register } = this.#host
    for (;;) {
      const { id, settled } = await this.#lease.store()
      if (settled) return id
      if (this.#unsettled?.id !== id) this.#unsettled = { id, since: clock.now() }
      if (clock.now() - this.#unsettled.since > timing.takeOver) {
        const entry = await register.get<Generation>(generationKey)
        if (entry?.value.id === id) {
          await register.cas(generationKey, { id, settled: true } satisfies Generation, entry.revision)
          continue
        }
      }
      await this.#pauses.for(timing.renew / 4)
      if (!await this.#lease.acquire()) return id
    }
  }
}
