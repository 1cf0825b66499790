// The table of docs/cluster-operation.md, "Faults": each row is played on a real engine, by nodes
// in three operating-system processes, and asserts the effects on users. Times are printed, not
// checked.
import { Host } from './host.js'
import { clockRows } from './rows/clock-rows.js'
import { rows } from './rows/rows.js'
import { Scene, TooSlow, type EngineName } from './scene.js'
import { toError } from '../../../lib/errors.js'
import type { Row } from './rows/row.js'
import type { Test } from 'tap'

/** Attempts of a row that fails because the machine is too slow. */
const attempts = 3

/**
 * Whether a row is played alone, after all others. A node whose clock is behind has a quarter of a
 * second at its start to learn a later incarnation from others. After that it would close, and a
 * process manager would start it again.
 */
function isAlone (title: string): boolean {
  return Object.hasOwn(clockRows, title)
}

/** Plays all rows on an engine, most of them at the same time. */
export function play (t: Test, engine: EngineName): void {
  // Node 20 may hang in a busy loop at exit, while it frees the environment of a process that has
  // killed its children. An explicit exit frees nothing.
  process.once('beforeExit', () => { process.exit() })
  const hosts: [Host, Host, Host] = [new Host(t), new Host(t), new Host(t)]
  const only = process.env.ROW
  const played = Object.entries(rows[engine])
    .filter(([title]) => only === undefined || title.includes(only))
    .sort(([one], [other]) => Number(isAlone(one)) - Number(isAlone(other)))
  t.jobs = played.length
  for (const [title, row] of played) {
    t.test(title, { buffered: !isAlone(title) }, async (t) => {
      for (let attempt = 1; ; attempt++) {
        const outcome = await tryRow(t, engine, row, hosts, attempt)
        t.comment(`${engine}: ${title}: ${outcome}`)
        if (outcome instanceof TooSlow) continue
        t.pass(outcome)
        return
      }
    })
  }
}

/** @returns the observations, or the reason to play the row again */
async function tryRow (
  t: Test,
  engine: EngineName,
  row: Row,
  hosts: [Host, Host, Host],
  attempt: number
): Promise<string | TooSlow> {
  const scene = await Scene.open(t, engine, `fwr-${attempt}`)
  let seen: string
  try {
    seen = await row({ t, scene, hosts, host: (ahead) => new Host(t, ahead) })
  } catch (error) {
    const reason = error instanceof TooSlow ? error : await tooSlow(scene, error)
    // The first error is the one to report.
    await scene.close().catch(() => {})
    if (reason === undefined || attempt === attempts) throw error
    return reason
  }
  await scene.close()
  return seen
}

/** @returns an error if a stall of the machine may explain the failure */
async function tooSlow (scene: Scene, error: unknown): Promise<TooSlow | undefined> {
  try {
    await scene.checkMachine()
    return undefined
  } catch (reason) {
    // A process that has ended does not answer: that is no stall.
    return reason instanceof TooSlow
      ? new TooSlow(`${reason.message}: ${toError(error).message}`)
      : undefined
  }
}
