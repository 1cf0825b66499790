import { ServerUnderTest } from './rig/server.js'
import type { Scenario } from './scenarios.js'
import type { ServerKind } from './rig/server.js'

/** One measurement. A figure is undefined when its scenario does not measure it. */
export interface Measurement {
  perSecond?: number
  cpuPerUnit?: number
  serverCpu?: number
  generatorCpu?: number
  p50?: number
  p99?: number
  rss?: number
  heap?: number
}

/** The measurements of one scenario, by server and round; undefined for a failed one. */
export interface Comparison {
  scenario: string
  rounds: Record<string, Array<Measurement | undefined>>
  problems: string[]
}

/**
 * Measures the servers in turn, A B C, A B C, …, so that each round sees all of them under the same
 * conditions. The servers of a scenario with its own take turns in being the first.
 *
 * @param warmUps uncounted rounds that warm up a server that keeps running
 */
export async function compare (
  scenario: Scenario,
  kinds: readonly ServerKind[],
  rounds: number,
  warmUps = 1
): Promise<Comparison> {
  const fresh = scenario.fresh === true
  const compared = scenario.kinds ??
    kinds.filter(({ name }) => scenario.without?.includes(name) !== true)
  const counted = Math.max(Math.min(rounds, scenario.rounds ?? rounds), scenario.atLeast ?? 0)
  const comparison: Comparison = {
    scenario: scenario.name,
    rounds: Object.fromEntries(compared.map(({ name }) => [name, []])),
    problems: []
  }

  const attempt = async (server: ServerUnderTest): Promise<Measurement | undefined> => {
    try {
      return await server.measure<Measurement>(scenario.spec)
    } catch (error) {
      const { stderr, message } = error as { stderr?: string, message: string }
      const problem = /^\w*Error: .*$/m.exec(stderr ?? '')?.[0] ?? message
      comparison.problems.push(`${server.kind.name}: ${problem}`)
      return undefined
    }
  }

  const running = new Map<string, ServerUnderTest>()
  const stop = async (name: string): Promise<void> => {
    await running.get(name)?.stop()
    running.delete(name)
  }
  try {
    const uncounted = fresh ? 0 : warmUps
    for (let round = 0; round < uncounted + counted; round++) {
      const isReversed = scenario.kinds !== undefined && round % 2 === 1
      for (const kind of isReversed ? [...compared].reverse() : compared) {
        const server = running.get(kind.name) ?? (await ServerUnderTest.start(kind))
        running.set(kind.name, server)
        const measured = await attempt(server)
        if (round >= uncounted) comparison.rounds[kind.name].push(measured)
        if (fresh || measured === undefined) await stop(kind.name)
      }
    }
  } finally {
    for (const name of running.keys()) await stop(name)
  }
  return comparison
}

/** One figure of a server in each round. */
export function figures (
  comparison: Comparison,
  server: string,
  figure: keyof Measurement
): Array<number | undefined> {
  return (comparison.rounds[server] ?? []).map((measured) => measured?.[figure])
}
