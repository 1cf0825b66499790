const none: readonly never[] = Object.freeze([])

/**
 * Sets of values by key. A key without values takes no memory. A single value is stored without a
 * set: most keys have one value, and a set costs 200 bytes and makes a lookup twenty times slower.
 * A value must not be a set itself.
 */
export class MultiMap<K, V> {
  readonly #values = new Map<K, V | Set<V>>()

  get size (): number {
    return this.#values.size
  }

  keys (): IterableIterator<K> {
    return this.#values.keys()
  }

  /** @returns false when the value was there already */
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

  /** The value that was added first; undefined for a key without values. */
  first (key: K): V | undefined {
    if (this.#values.size === 0) return undefined
    const values = this.#values.get(key)
    return values instanceof Set ? (values as Set<V>).values().next().value : values
  }

  /** The number of values of a key. */
  countOf (key: K): number {
    const values = this.#values.get(key)
    if (values instanceof Set) return values.size
    return values === undefined ? 0 : 1
  }

  /** Removes the key and returns its values. */
  takeAll (key: K): Iterable<V> {
    if (this.#values.size === 0) return none
    const values = this.#values.get(key)
    if (values === undefined) return none
    this.#values.delete(key)
    return values instanceof Set ? values : [values]
  }

  /** @returns false when there was no such value */
  delete (key: K, value: V): boolean {
    const values = this.#values.get(key)
    if (values instanceof Set) {
      if (!values.delete(value)) return false
      if (values.size > 0) return true
    } else if (values !== value) return false
    return this.#values.delete(key)
  }
}
