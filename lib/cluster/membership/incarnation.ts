import type { Register } from '../register.js'

/**
 * Reserves an incarnation of a node in the register: `wished`, or one above the last if that is
 * higher.
 * @param going returns false when the incarnation is not wanted any more
 */
export async function claimIncarnation (
  register: Register,
  node: string,
  wished: number,
  going: () => boolean
): Promise<number> {
  const key = `incarnation.${node}`
  for (let incarnation = wished; going();) {
    try {
      const last = await register.get<{ incarnation: number }>(key)
      incarnation = Math.max(incarnation, (last?.value.incarnation ?? 0) + 1)
      const revision = await register.cas(key, { incarnation }, last?.revision ?? 0)
      if (revision !== 0) return incarnation
    } catch {
      // It is unknown whether the write succeeded. The next number is above it in both cases.
      incarnation++
      await register.pauseBeforeRetry()
    }
  }
  return wished
}
