import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'

/** A statement that had to hold, and the observation. */
interface Finding { statement: string, seen: string, holds: boolean }

/** One phase of the report. */
export class Section {
  readonly findings: Finding[] = []
  readonly title: string
  readonly #about: string
  readonly #started = performance.now()

  constructor (title: string, about: string) {
    this.title = title
    this.#about = about
  }

  /** @param seen what was seen, in words or figures */
  holds (statement: string, holds: boolean, seen: string | number): void {
    this.findings.push({ statement, holds, seen: String(seen) })
  }

  equal (statement: string, seen: unknown, expected: unknown): void {
    const [is, should] = [seen, expected].map((value) =>
      typeof value === 'string' ? value : JSON.stringify(value)
    )
    this.holds(statement, is === should, is === should ? is : `${is} instead of ${should}`)
  }

  /** A figure that nothing depends on. */
  note (what: string, seen: string | number): void {
    this.holds(what, true, seen)
  }

  get text (): string {
    const rows = this.findings.map(
      ({ statement, seen, holds }) =>
        `| ${statement} | ${cell(seen)} | ${holds ? 'yes' : '**no**'} |`
    )
    const seconds = Math.round((performance.now() - this.#started) / 1000)
    return (
      `## ${this.title}\n\n${this.#about} ${seconds} s.\n\n` +
      `| what must hold | seen | holds |\n| --- | --- | --- |\n${rows.join('\n')}\n`
    )
  }
}

function cell (text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('\n', ' ')
}

/** The head of a report: where its figures come from. */
export function heading (smoke: boolean): string {
  const gib = Math.round(totalmem() / 2 ** 30)
  return `# Soak${smoke ? ' (smoke)' : ''}\n\n${new Date().toISOString().slice(0, 16)}Z, Node ${process.version}, ${availableParallelism()} × ${cpus()[0]?.model.trim() || process.arch}, ${gib} GiB, ${type()} ${release()}, load ${loadavg()[0].toFixed(1)}\n`
}

/** The last lines: whether all of it held. */
export function verdict (sections: readonly Section[]): { ok: boolean, text: string } {
  const all = sections.flatMap(({ title, findings }) =>
    findings.map((finding) => ({ title, ...finding }))
  )
  const broken = all.filter(({ holds }) => !holds)
  if (broken.length === 0) return { ok: true, text: `All of it held: ${all.length} statements.\n` }
  return {
    ok: false,
    text: `Did not hold, of ${all.length} statements:\n\n${broken.map(({ title, statement, seen }) => `- ${title}: ${statement} (seen: ${seen})`).join('\n')}\n`
  }
}
