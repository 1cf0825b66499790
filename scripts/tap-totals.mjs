// Reads what tap counted from its raw output. As a program, prints the totals of the file named
// on the command line as `passed failed`; a run without totals has failed.
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

/** The totals in tap's last comment, as `# { total: 4, pass: 3, fail: 1 }`; of no other line. */
export function readTotals (line) {
  const match = /^# \{ (total: \d.*) \}$/.exec(line)
  if (!match) return undefined
  const counts = Object.fromEntries(match[1].split(', ').map((pair) => pair.split(': ')))
  const count = (name) => Number(counts[name] ?? 0)
  return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  let text = ''
  try {
    text = readFileSync(process.argv[2], 'utf8')
  } catch {
    // The tests were not reached.
  }
  const totals = text.split('\n').map(readTotals).findLast(Boolean)
  console.log(totals ? `${totals.passed} ${totals.failed}` : '0 0')
}
