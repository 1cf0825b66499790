// The table of docs/cluster.md, "Faults": each row is played on a real engine, by nodes in three
// operating-system processes, and asserts what their users see. Times are told, never judged.
import { Host } from './host.js'
import { rows } from './rows.js'
import { Scene, TooSlow, type EngineName } from './scene.js'
import { toError } from '../../../lib/errors.js'
import type { Test } from 'tap'

/** How often a row is played that the machine was too slow for. */
const attempts = 3

/** Plays all rows on an engine, at the same time. */
export function play (t: Test, engine: EngineName): void {
  const hosts: [Host, Host, Host] = [new Host(t), new Host(t), new Host(t)]
  t.jobs = Object.keys(rows).length
  for (const [title, row] of Object.entries(rows)) {
    t.test(title, { buffered: true }, async (t) => {
      for (let attempt = 1; ; attempt++) {
        const scene = await Scene.open(t, engine, `fwr-${attempt}`)
        try {
          const seen = await row({ t, scene, hosts, host: () => new Host(t) })
          t.pass(seen)
          t.comment(`${engine}: ${title}: ${seen}`)
          return
        } catch (error) {
          const reason = await tooSlow(scene, error)
          if (reason === undefined || attempt === attempts) throw error
          t.comment(`${engine}: ${title}: again, for ${reason.message}: ${toError(error).message}`)
        } finally {
          await scene.close()
        }
      }
    })
  }
}

/** Whether it was the machine that failed. */
async function tooSlow (scene: Scene, error: unknown): Promise<TooSlow | undefined> {
  try {
    if (error instanceof TooSlow) return error
    await scene.checkMachine()
    return undefined
  } catch (reason) {
    return reason instanceof TooSlow ? reason : undefined
  }
}
