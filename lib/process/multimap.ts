/** Sets of values by key; a key without values takes no memory. */
export class MultiMap<K, V> {
  readonly #sets = new Map<K, Set<V>>()

  get size (): number {
    return this.#sets.size
  }

  add (key: K, value: V): void {
    const set = this.#sets.get(key)
    if (set === undefined) this.#sets.set(key, new Set([value]))
    else set.add(value)
  }

  get (key: K): Iterable<V> {
    return this.#sets.get(key) ?? []
  }

  /** Takes all values of a key out. */
  take (key: K): Iterable<V> {
    const set = this.#sets.get(key)
    this.#sets.delete(key)
    return set ?? []
  }

  delete (key: K, value: V): boolean {
    const set = this.#sets.get(key)
    if (set === undefined || !set.delete(value)) return false
    if (set.size === 0) this.#sets.delete(key)
    return true
  }
}
