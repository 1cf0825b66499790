import type { Register } from '../register.js'

interface ClaimedIncarnation { readonly incarnation: number }

function keyOf (node: string): string {
  return `incarnation.${node}`
}

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
  const key = keyOf(node)
  for (let incarnation = wished; going();) {
    try {
      const last = await register.get<ClaimedIncarnation>(key)
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

/**
 * Called when a node closes because other nodes remember `known`, a later incarnation of it. Writes
 * that to the register, so that the next start claims one above it. A higher value stays.
 *
 * Resolves at the latest after the timeout of one request. Never rejects: without the register, the
 * next start can only rely on its clock.
 */
export async function recordIncarnation (
  register: Register,
  node: string,
  known: number
): Promise<void> {
  const key = keyOf(node)
  const attempt = { over: false }
  const write = async (): Promise<void> => {
    while (!attempt.over) {
      const last = await register.get<ClaimedIncarnation>(key)
      if ((last?.value.incarnation ?? 0) >= known) return
      if (await register.cas(key, { incarnation: known }, last?.revision ?? 0) !== 0) return
      await register.pauseBeforeRetry()
    }
  }
  await register.withTimeout(write()).catch(() => {})
  attempt.over = true
}
