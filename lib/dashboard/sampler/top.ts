/** Keeps the first items of an order. An offer takes O(log limit), and most take O(1). */
export class Top<T> {
  readonly #limit: number
  readonly #isBefore: (one: T, other: T) => boolean
  /** A binary heap with the last item of the order at its root. */
  readonly #heap: T[] = []

  /** @param isBefore whether one item comes before another one */
  constructor (limit: number, isBefore: (one: T, other: T) => boolean) {
    this.#limit = limit
    this.#isBefore = isBefore
  }

  offer (item: T): void {
    const heap = this.#heap
    if (heap.length < this.#limit) {
      heap.push(item)
      this.#rise(heap.length - 1)
    } else if (this.#isBefore(item, heap[0])) {
      heap[0] = item
      this.#sink()
    }
  }

  /** The kept items in order. */
  inOrder (): T[] {
    return [...this.#heap].sort((one, other) => this.#isBefore(one, other) ? -1 : 1)
  }

  #rise (from: number): void {
    const heap = this.#heap
    let i = from
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!this.#isBefore(heap[parent], heap[i])) return
      this.#swap(i, parent)
      i = parent
    }
  }

  #sink (): void {
    const heap = this.#heap
    let i = 0
    while (true) {
      const left = 2 * i + 1
      if (left >= heap.length) return
      const right = left + 1
      const isRight = right < heap.length && this.#isBefore(heap[left], heap[right])
      const last = isRight ? right : left
      if (!this.#isBefore(heap[i], heap[last])) return
      this.#swap(i, last)
      i = last
    }
  }

  #swap (one: number, other: number): void {
    const heap = this.#heap
    const item = heap[one]
    heap[one] = heap[other]
    heap[other] = item
  }
}
