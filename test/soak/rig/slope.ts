/** The live bytes after an amount of work. */
export interface Sample { work: number, bytes: number }

/** The bytes that remain for each unit of work, by least squares. */
export function slope (samples: readonly Sample[]): number {
  const mean = (of: keyof Sample): number =>
    samples.reduce((sum, sample) => sum + sample[of], 0) / samples.length
  const work = mean('work')
  const bytes = mean('bytes')
  let above = 0
  let below = 0
  for (const sample of samples) {
    above += (sample.work - work) * (sample.bytes - bytes)
    below += (sample.work - work) ** 2
  }
  return above / below
}
