const none: readonly never[] = Object.freeze([])

/**
 * Sets of values by key. A key without values takes no memory, and one with a single value no set:
 * most have one, and a set costs 200 bytes and twenty times a lookup. Values are never sets.
 */
export class MultiMap<K, V> {
  readonly #values = new Map<K, V | Set<V>>()

  get size (): number {
    return this.#values.size
  }

  keys (): IterableIterator<K> {
    return this.#values.keys()
  }

  /** @returns whether it was not there */
  add (key: K, value: V): boolean {
    const values = this.#values.get(key)
    if (values instanceof Set) {
      const { size } = values
      return values.add(value).size > size
    }
    if (values === value) return false
    this.#values.set(key, values === undefined ? value : new Set([values, value]))
    return true
  }

  get (key: K): Iterable<V> {
    const values = this.#values.get(key)
    if (values === undefined) return none
    return values instanceof Set ? values : [values]
  }

  /** Takes all values of a key out. */
  takeAll (key: K): Iterable<V> {
    const values = this.#values.get(key)
    if (values === undefined) return none
    this.#values.delete(key)
    return values instanceof Set ? values : [values]
  }

  /** @returns whether it was there */
  delete (key: K, value: V): boolean {
    const values = this.#values.get(key)
    if (values instanceof Set) {
      if (!values.delete(value)) return false
      if (values.size > 0) return true
    } else if (values !== value) return false
    return this.#values.delete(key)
  }
}
