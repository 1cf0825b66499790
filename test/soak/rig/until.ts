/** The timeout for a condition in milliseconds. */
const patience = 60_000

/**
 * Waits for a condition, and checks it periodically.
 *
 * @returns whether it holds: false after the timeout
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
