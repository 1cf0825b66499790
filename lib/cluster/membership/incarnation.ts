import type { Register } from '../register.js'

/**
 * Claims an incarnation of a node in the register: the one that is wished for, or one above the last.
 * @param going false when it is not wanted any more
 */
export async function claimIncarnation (register: Register, node: string, wished: number, going: () => boolean): Promise<number> {
  for (let incarnation = wished; going();) {
    try {
      const last = await register.get<{ incarnation: number }>(`incarnation.${node}`)
      incarnation = Math.max(incarnation, (last?.value.incarnation ?? 0) + 1)
      if (await register.cas(`incarnation.${node}`, { incarnation }, last?.revision ?? 0) !== 0) return incarnation
    } catch {
      // Nobody knows whether it was set: the next is above it in any case.
      incarnation++
      await register.pauseBeforeRetry()
    }
  }
  return wished
}
