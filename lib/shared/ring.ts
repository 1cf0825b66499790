const initialCapacity = 8

/**
 * A first-in first-out queue in a circular array. It grows by doubling, releases a grown array when
 * it becomes empty, and allocates nothing before its first use.
 */
export class Ring<T> {
  #items: (T | undefined)[] | undefined
  #head = 0
  #length = 0

  get length (): number {
    return this.#length
  }

  enqueue (item: T): void {
    let items = this.#items
    if (items === undefined) items = this.#items = new Array<T | undefined>(initialCapacity)
    else if (this.#length === items.length) items = this.#resize(items.length * 2)
    items[(this.#head + this.#length) & (items.length - 1)] = item
    this.#length++
  }

  dequeue (): T | undefined {
    if (this.#length === 0) return undefined
    const items = this.#items!
    const item = items[this.#head]
    items[this.#head] = undefined
    this.#head = (this.#head + 1) & (items.length - 1)
    if (--this.#length === 0 && items.length > initialCapacity) this.clear()
    return item
  }

  /** The item at a position; 0 is the next one to be dequeued. */
  at (index: number): T {
    const items = this.#items!
    return items[(this.#head + index) & (items.length - 1)] as T
  }

  /** Removes one item. The others keep their order. */
  removeAt (index: number): T {
    const items = this.#items!
    const mask = items.length - 1
    const item = this.at(index)
    for (let i = index; i > 0; i--) {
      items[(this.#head + i) & mask] = items[(this.#head + i - 1) & mask]
    }
    this.dequeue()
    return item
  }

  clear (): void {
    this.#items = undefined
    this.#head = 0
    this.#length = 0
  }

  #resize (capacity: number): (T | undefined)[] {
    const items = new Array<T | undefined>(capacity)
    for (let i = 0; i < this.#length; i++) items[i] = this.at(i)
    this.#items = items
    this.#head = 0
    return items
  }
}
