/**
 * Rendezvous hashing: every node that knows the same nodes names the same one for a key, and a node
 * that comes or goes changes only the keys that it gets or had. All versions must compute the same.
 *
 * @param nodes names, not empty
 * @returns the node with the highest score for a key
 */
export function rendezvous (key: string, nodes: readonly string[]): string {
  let best = ''
  let highest = -1
  // Sorted, so that two equal scores do not depend on the order in which a node knows the others.
  for (const node of [...nodes].sort()) {
    const score = scoreOf(`${node}\n${key}`)
    if (score <= highest) continue
    highest = score
    best = node
  }
  return best
}

/** FNV-1a of the UTF-16 units, with the last steps of murmur3: it alone mixes too little. */
function scoreOf (text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
