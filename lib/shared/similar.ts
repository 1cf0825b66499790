/** Letters that may be wrong, missing or added. */
const maxDistance = 2
/** In shorter words, two letters make another word. */
const minLength = 5

/**
 * The known word that a given one probably stands for: the same letters in another style, such as
 * `heartbeatInterval` for `heartbeat_interval`, or at most two wrong letters.
 *
 * @returns undefined if no known word is similar
 */
export function similarTo (given: string, known: readonly string[]): string | undefined {
  const letters = lettersOf(given)
  return known.find((word) => lettersOf(word) === letters) ??
    known.find((word) => {
      return Math.min(letters.length, lettersOf(word).length) >= minLength &&
        distance(letters, lettersOf(word)) <= maxDistance
    })
}

function lettersOf (word: string): string {
  return word.toLowerCase().replace(/[^a-z0-9]/g, '')
}

/** Levenshtein's distance. Words whose lengths differ too much are not compared. */
function distance (one: string, other: string): number {
  if (Math.abs(one.length - other.length) > maxDistance) return Infinity
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const changed = row[j - 1] + (one[i - 1] === other[j - 1] ? 0 : 1)
      next.push(Math.min(changed, row[j] + 1, next[j - 1] + 1))
    }
    row = next
  }
  return row[other.length]
}
