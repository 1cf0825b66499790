/** Problems that are kept: a fault that repeats must not fill the memory that is being watched. */
const mostKept = 10

/** What was not as it has to be: how often, and the first of them in words. */
export class Problems {
  count = 0
  readonly first: string[] = []

  add (problem: string): void {
    if (++this.count <= mostKept) this.first.push(problem)
  }
}

/** Of several processes, as one. */
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
