// The table of docs/cluster.md, "Faults": each row is played on a real engine, by nodes in three
// operating-system processes, and asserts what their users see. Times are told, never judged.
import { Host } from './host.js'
import { clockRows } from './clock-rows.js'
import { rows } from './rows.js'
import { Scene, TooSlow, type EngineName } from './scene.js'
import { toError } from '../../../lib/errors.js'
import type { Row } from './row.js'
import type { Test } from 'tap'

/** How often a row is played that the machine was too slow for. */
const attempts = 3

/**
 * Whether a row is played by itself, when the others are done. A node that starts with a clock behind has a quarter of
 * a second to hear of it from the others; later it closes, and a process manager would start it again.
 */
function isAlone (title: string): boolean {
  return Object.hasOwn(clockRows, title)
}

/** Plays all rows on an engine, most of them at the same time. */
export function play (t: Test, engine: EngineName): void {
  // Node 20 has spun for ever while it freed a process that had killed its children, when all was done. An explicit
  // exit frees nothing.
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

/** @returns what was seen, or why it is to be played again */
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
    // What failed first is told.
    await scene.close().catch(() => {})
    if (reason === undefined || attempt === attempts) throw error
    return reason
  }
  await scene.close()
  return seen
}

/** Whether it was the machine that failed. */
async function tooSlow (scene: Scene, error: unknown): Promise<TooSlow | undefined> {
  try {
    await scene.checkMachine()
    return undefined
  } catch (reason) {
    // An operating-system process that has ended cannot be asked: that is not slow.
    return reason instanceof TooSlow
      ? new TooSlow(`${reason.message}: ${toError(error).message}`)
      : undefined
  }
}
