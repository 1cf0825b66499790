/** Whether a key would set a prototype when an application merges its object into another one. */
export function setsPrototype (key: string, item: unknown): boolean {
  if (key === '__proto__') return true
  if (key !== 'constructor' || typeof item !== 'object' || item === null) return false
  return Object.hasOwn(item, 'prototype')
}

/** A text without any of these has no such key: an escape may spell one. */
const suspects = ['__proto__', 'constructor', '\\u']

/**
 * Removes such keys from the result of `JSON.parse`, at all levels.
 * @param text the JSON. Nearly none needs the search through all levels, which takes time
 */
export function stripPrototypeKeys (value: unknown, text: string): void {
  if (!suspects.some((suspect) => text.includes(suspect))) return
  // No recursion: a client decides how many levels there are.
  const waiting = [value]
  while (waiting.length > 0) {
    const record = waiting.pop() as Record<string, unknown> | null
    if (typeof record !== 'object' || record === null) continue
    for (const key of Object.keys(record)) {
      const item = record[key]
      if (setsPrototype(key, item)) delete record[key]
      else waiting.push(item)
    }
  }
}
