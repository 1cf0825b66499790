// Runs the phases one after the other against one server, and reports. Everything is on 127.0.0.1,
// and bounded in time and count. The exit code tells whether all of it held.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseOptions, usage, type SoakOptions } from './options.js'
import { heading, Section, verdict } from './report.js'
import { churn } from './phases/churn.js'
import { dead } from './phases/dead.js'
import { echo } from './phases/echo.js'
import { idle } from './phases/idle.js'
import { shutdown } from './phases/shutdown.js'
import { slow } from './phases/slow.js'
import { transfer } from './phases/transfer.js'
import { Rig, type Phase } from './rig/rig.js'
import { suites } from './suites.js'

/** In the order in which they run; the last one ends the server. */
const phases: Record<string, Phase> = { idle, echo, churn, transfer, slow, dead, shutdown }

// From dist/test/soak.
const defaultReport = join(import.meta.dirname, '../../..', 'report.md')

const lines: string[] = []
function say (text: string): void {
  lines.push(text)
  console.log(text)
}

async function runPhase (rig: Rig, name: string): Promise<Section> {
  const { title, about, run } = phases[name]
  const section = new Section(title, about)
  await toItsEnd(section, () => run(rig, section))
  // Whatever came of it, the next phase begins with nothing.
  if (name !== 'shutdown') await toItsEnd(section, () => rig.settle(section))
  say(section.text)
  return section
}

async function toItsEnd (section: Section, task: () => Promise<void>): Promise<void> {
  try {
    await task()
  } catch (err) {
    section.holds('the phase comes to its end', false, (err as Error).message)
  }
}

async function soak (
  { smoke, only, report = defaultReport, scale }: SoakOptions
): Promise<boolean> {
  say(heading(smoke))
  const sections: Section[] = []
  const rig = await Rig.start(scale)
  for (const name of Object.keys(phases)) {
    if (only.length === 0 || only.includes(name)) sections.push(await runPhase(rig, name))
  }
  await rig.stop()
  if (!smoke && only.length === 0) {
    for await (const section of suites()) {
      sections.push(section)
      say(section.text)
    }
  }
  const { ok, text } = verdict(sections)
  say(text)
  writeFileSync(report, lines.join('\n'))
  return ok
}

let options: SoakOptions | undefined
try {
  options = parseOptions(process.argv.slice(2))
  const unknown = options.only.find((name) => !(name in phases))
  if (unknown !== undefined) {
    throw new Error(`--only: expected one of ${Object.keys(phases).join(', ')}, got '${unknown}'`)
  }
} catch (err) {
  console.error(`${(err as Error).message}\n\n${usage}`)
  process.exit(2)
}
process.exit(await soak(options) ? 0 : 1)
