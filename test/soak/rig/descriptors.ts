import { readFileSync, readdirSync } from 'node:fs'

/**
 * Descriptors that a process needs besides sockets: for Node, files and the channel to its parent.
 */
export const descriptorsOfNode = 100

/** The descriptors that a process may open; undefined where the system does not provide it. */
export function mostDescriptors (): number | undefined {
  try {
    // The second number is the hard limit. Node raises its own limit to it at start.
    const limit = /^Max open files +\S+ +(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))![1]
    return limit === 'unlimited' ? Infinity : Number(limit)
  } catch {
    return undefined
  }
}

/** The open descriptors of this process; undefined where the system does not provide them. */
export function openDescriptors (): number | undefined {
  try {
    // Reading the folder itself needs one descriptor.
    return readdirSync('/proc/self/fd').length - 1
  } catch {
    return undefined
  }
}
