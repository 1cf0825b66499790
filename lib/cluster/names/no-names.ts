import { errorCodes } from '../../errors.js'
import type { ClusterNames } from '../../../types/cluster.js'

/** `cluster.names` of an engine without a register, and of every node before it has started. */
export class NoNames implements ClusterNames {
  readonly size = 0
  readonly #engine: string | undefined

  /** @param engine its name, for the error; undefined: the node has not started */
  constructor (engine?: string) {
    this.#engine = engine
  }

  register (): Promise<never> {
    return this.#refuse()
  }

  unregister (): Promise<never> {
    return this.#refuse()
  }

  lookup (): Promise<never> {
    return this.#refuse()
  }

  #refuse (): Promise<never> {
    return Promise.reject(this.#engine === undefined
      ? new errorCodes.FST_CLUSTER_UNAVAILABLE('this node has not started')
      : new errorCodes.FST_CLUSTER_NO_REGISTRY(this.#engine))
  }

  engineUp (): void {}

  nodeDown (): void {}

  abandon (): void {}

  async close (): Promise<void> {}
}
