import { readFileSync, readdirSync } from 'node:fs'

/** What a process needs besides sockets: Node itself, files, the channel to its parent. */
export const descriptorsOfNode = 100

/** How many descriptors a process of this user may open; undefined where the system does not tell. */
export function mostDescriptors (): number | undefined {
  try {
    // The second number: Node raises its own limit to it at start.
    const limit = /^Max open files +\S+ +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))![1]
    return limit === 'unlimited' ? Infinity : Number(limit)
  } catch {
    return undefined
  }
}

/** Descriptors that this process has open; undefined where the system does not tell. */
export function openDescriptors (): number | undefined {
  try {
    // Reading the folder takes one by itself.
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    return undefined
  }
}
