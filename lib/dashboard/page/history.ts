// The points of the charts: the last 5 minutes of one node.
import { historyTime, type Point } from '../frames.js'

/** One column of times in seconds, as uPlot takes them, and one for each value. */
export type Columns = Array<Array<number | null>>

/** A longer time between two points is a gap in the lines. */
const gap = 5000

export class History {
  node = ''
  #points: Point[] = []

  get last (): Point | undefined {
    return this.#points.at(-1)
  }

  /** Adds the points that are new. Those of another node replace the ones before. */
  add (node: string, points: readonly Point[]): void {
    if (node !== this.node) this.#points = []
    this.node = node
    const since = this.last?.at ?? 0
    this.#points.push(...points.filter(({ at }) => at > since))
    const end = this.last?.at ?? 0
    const first = this.#points.findIndex(({ at }) => at >= end - historyTime)
    if (first > 0) this.#points.splice(0, first)
  }

  /** The columns of some fields. After a gap, a point without values breaks the lines. */
  columns (values: ReadonlyArray<(point: Point) => number>): Columns {
    const columns: Columns = [[], ...values.map(() => [])]
    let before = Infinity
    for (const point of this.#points) {
      if (point.at - before > gap) {
        columns.forEach((column, index) => column.push(index === 0 ? before / 1000 + 1 : null))
      }
      before = point.at
      columns[0].push(point.at / 1000)
      values.forEach((value, index) => columns[index + 1].push(value(point)))
    }
    return columns
  }
}
