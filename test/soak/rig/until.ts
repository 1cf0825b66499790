/** Milliseconds after which a condition that does not hold never will. */
const patience = 60_000

/**
 * Waits for a condition, looking now and then.
 *
 * @returns whether it holds: false when it took longer than anything here may
 */
export async function until (
  condition: () => boolean,
  milliseconds: number = patience
): Promise<boolean> {
  const end = performance.now() + milliseconds
  while (!condition()) {
    if (performance.now() > end) return false
    await new Promise((resolve) => {
      setTimeout(resolve, 10)
    })
  }
  return true
}
