/** The number of recorded problems: a repeated fault must not fill the memory that is measured. */
const mostKept = 10

/** Counts problems, and keeps the texts of the first ones. */
export class Problems {
  count = 0
  readonly first: string[] = []

  add (problem: string): void {
    if (++this.count <= mostKept) this.first.push(problem)
  }
}

/** Merges the problems of several processes. */
export function together (
  all: ReadonlyArray<{ problems: Pick<Problems, 'count' | 'first'> }>
): string {
  const count = all.reduce((sum, { problems }) => sum + problems.count, 0)
  return count === 0
    ? 'none'
    : `${count}: ${all
        .flatMap(({ problems }) => problems.first)
        .slice(0, mostKept)
        .join('; ')}`
}
