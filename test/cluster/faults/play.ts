// The table of docs/cluster.md, "Faults": each row is played on a real engine, by nodes in three
// operating-system processes, and asserts what their users see. Times are told, never judged.
import { Host, Scene, TooSlow, type EngineName } from './scene.js'
import { engineRows } from './engine-rows.js'
import { nodeRows } from './node-rows.js'
import type { Test } from 'tap'

/** How often a fault is tried that the machine was too slow for. */
const attempts = 4

/** Plays all rows on an engine, at the same time. */
export function play (t: Test, engine: EngineName): void {
  const hosts: [Host, Host, Host] = [new Host(t), new Host(t), new Host(t)]
  const rows = { ...nodeRows, ...engineRows }
  t.jobs = Object.keys(rows).length
  for (const [title, row] of Object.entries(rows)) {
    t.test(title, { buffered: true }, async (t) => {
      const start = performance.now()
      for (let attempt = 1; ; attempt++) {
        const scene = await Scene.open(t, engine, `fwr-${attempt}`)
        try {
          const seen = await row({ t, scene, hosts, host: () => new Host(t) })
          t.comment(`${engine}: ${title}: ${seen} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
          return
        } catch (error) {
          if (!(error instanceof TooSlow) || attempt === attempts) throw error
          t.comment(`${engine}: ${title}: again, for ${error.message}`)
        } finally {
          await scene.close()
        }
      }
    })
  }
}
