import { errorCodes } from '../../errors.js'
import { Group } from './group.js'
import type { NodeContext } from '../context.js'

type TableContext = Pick<NodeContext, 'prefix' | 'transport' | 'timing' | 'after' | 'local'>

/** Called with each batch of frames that is published on the topic of a group. */
export type BatchReceiver = (group: Group, bytes: Buffer) => void

/** The groups that this node uses, each with one subscription to its topic. */
export class GroupTable {
  readonly #context: TableContext
  readonly #receiveBatch: BatchReceiver
  readonly #groups = new Map<string, Group>()
  #closed = false

  constructor (context: TableContext, receiveBatch: BatchReceiver) {
    this.#context = context
    this.#receiveBatch = receiveBatch
  }

  get size (): number {
    return this.#groups.size
  }

  get (name: string): Group | undefined {
    return this.#groups.get(name)
  }

  values (): Iterable<Group> {
    return this.#groups.values()
  }

  /**
   * Finds or creates a group, and cancels the end of its subscription.
   * @throws `FST_CLUSTER_UNAVAILABLE` when the node has left the cluster
   */
  open (name: string): Group {
    if (this.#closed) throw new errorCodes.FST_CLUSTER_UNAVAILABLE('this node has left it')
    let group = this.#groups.get(name)
    if (group === undefined) this.#groups.set(name, group = new Group(name, this.#context.prefix))
    group.linger?.cancel()
    group.linger = undefined
    return group
  }

  /**
   * Subscribes to the topic of a group, if that is not done. The engine has the time to confirm it
   * that an outage may last without a node being down.
   *
   * @throws `FST_CLUSTER_UNAVAILABLE` when the engine does not confirm the subscription
   */
  waitForSubscription (group: Group): Promise<void> {
    group.subscribed ??= this.#context.transport.subscribe(group.topic, (bytes) => {
      this.#receiveBatch(group, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    }).catch((err: unknown) => {
      group.subscribed = undefined
      throw new errorCodes.FST_CLUSTER_UNAVAILABLE('the engine does not answer', { cause: err })
    })
    const { subscribed } = group
    return new Promise((resolve, reject) => {
      const { timing } = this.#context
      const timer = this.#context.after(timing.down, () => {
        const why = `the engine did not confirm the group within ${timing.down} ms`
        reject(new errorCodes.FST_CLUSTER_UNAVAILABLE(why))
      })
      subscribed.then(resolve, reject).finally(() => { timer.cancel() })
    })
  }

  /** Ends the subscription after a delay, because a new member often joins soon. */
  closeIfUnused (group: Group): void {
    if (group.isUsed || group.linger !== undefined) return
    group.linger = this.#context.after(this.#context.timing.linger, () => {
      this.#groups.delete(group.name)
      if (group.subscribed === undefined) return
      this.#context.transport.unsubscribe(group.topic).catch(() => {})
    })
  }

  /** Call when the node leaves the cluster. */
  close (): void {
    this.#closed = true
    for (const { linger, localMembers } of this.#groups.values()) {
      linger?.cancel()
      for (const [pid, { exitListener }] of localMembers) {
        this.#context.local.demonitor(pid, exitListener)
      }
    }
    this.#groups.clear()
  }
}
