import { EngineState, type EngineEvents } from '../engine-state.js'
import { Subscriptions } from '../subscriptions.js'
import type { HubMember, MemoryHub } from './memory-hub.js'
import type { Listener } from '../subscriptions.js'
import type { Clock } from '../../../shared/clock.js'
import type { RegisterEntry, TransportCaps } from '../../../../types/cluster.js'

const maxFrame = 1024 * 1024

/** One node's connection to a hub. */
export class MemoryTransport implements HubMember {
  readonly #hub: MemoryHub
  readonly #state = new EngineState('memory')
  readonly #subscriptions = new Subscriptions()

  constructor (hub: MemoryHub) {
    this.#hub = hub
  }

  /** `durable` until the hub is cleared: a register that never lost data has no unknown holders. */
  get caps (): TransportCaps {
    return { name: 'memory', maxFrame, registry: true, probe: true, durable: this.#hub.durable }
  }

  get clock (): Clock {
    return this.#state.clock
  }

  async open (events: EngineEvents): Promise<void> {
    await this.#state.open(events, () => { this.#hub.addMember(this) })
  }

  async close (): Promise<void> {
    this.#state.close()
    this.#hub.removeMember(this)
    this.#subscriptions.clear(this.#state.unavailableError('it was closed'))
  }

  publish (topic: string, frame: Uint8Array): boolean {
    if (!this.#state.up || frame.length > maxFrame) return false
    const copy = frame.slice()
    const deliver = (): void => { this.#hub.deliver(topic, copy) }
    return this.#hub.enqueueTask(this, copy.length, deliver, () => {})
  }

  /** Needs no timeout: the hub answers, or rejects at once. */
  async flush (): Promise<void> {
    await this.#request(() => {})
  }

  async subscribe (topic: string, listener: Listener): Promise<void> {
    const confirmed = this.#subscriptions.add(topic, listener)
    const confirm = (): void => { this.#subscriptions.confirm(topic) }
    if (this.#state.up) this.#hub.enqueueTask(this, 0, confirm, () => {})
    await confirmed
  }

  async unsubscribe (topic: string): Promise<void> {
    this.#subscriptions.remove(topic, this.#state.unavailableError('it was unsubscribed'))
  }

  async probe (topic: string): Promise<boolean | undefined> {
    return await this.#request(() => this.#hub.hasSubscriber(topic))
  }

  async get (key: string): Promise<RegisterEntry | undefined> {
    return await this.#request(() => this.#hub.get(key))
  }

  async cas (key: string, value: Uint8Array | undefined, revision: number): Promise<number> {
    const copy = value?.slice()
    return await this.#request(() => this.#hub.cas(key, copy, revision))
  }

  setReachable (yes: boolean): void {
    if (yes) for (const topic of this.#subscriptions.topics()) this.#subscriptions.confirm(topic)
    else this.#subscriptions.markUnconfirmed()
    this.#state.setUp(yes)
  }

  isSubscribed (topic: string): boolean {
    return this.#subscriptions.isConfirmed(topic)
  }

  deliver (topic: string, frame: Uint8Array): void {
    this.#subscriptions.deliver(topic, frame)
  }

  async #request<T> (question: () => T): Promise<T> {
    this.#state.assertUp()
    return await new Promise<T>((resolve, reject) => {
      this.#hub.enqueueTask(this, 0, () => { resolve(question()) }, () => {
        reject(this.#state.unavailableError('it went away before it answered'))
      })
    })
  }
}
