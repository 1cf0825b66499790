import { errorCodes } from '../../errors.js'
import type { ClusterNames } from '../../../types/cluster.js'

/** Names where there is no register to keep them: each use says so. */
export class NoNames implements ClusterNames {
  readonly size = 0
  readonly #engine: string | undefined

  /** @param engine what it is called; undefined: the node has not started */
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
