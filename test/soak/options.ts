import { parseArgs } from 'node:util'

/** How much of everything. Times are what a phase lasts at least, where it lasts by the clock. */
export interface Scale {
  idle: { connections: number, heartbeat: number, beats: number }
  echo: { connections: number, depth: number, rounds: number, seconds: number }
  churn: { perSecond: number, rounds: number, seconds: number }
  transfer: { connections: number, depth: number, seconds: number }
  slow: { fast: number, slow: number, messages: number, flooders: number, flood: number }
  dead: { dead: number, living: number }
  shutdown: { healthy: number, stuck: number }
}

const full: Scale = {
  idle: { connections: 8000, heartbeat: 10_000, beats: 18 },
  echo: { connections: 200, depth: 8, rounds: 10, seconds: 15 },
  churn: { perSecond: 100, rounds: 10, seconds: 20 },
  transfer: { connections: 100, depth: 16, seconds: 120 },
  slow: { fast: 20, slow: 20, messages: 4000, flooders: 10, flood: 20_000 },
  dead: { dead: 1000, living: 500 },
  shutdown: { healthy: 2000, stuck: 2000 }
}

const smoke: Scale = {
  idle: { connections: 1500, heartbeat: 2000, beats: 5 },
  echo: { connections: 100, depth: 8, rounds: 5, seconds: 3 },
  churn: { perSecond: 100, rounds: 5, seconds: 4 },
  transfer: { connections: 50, depth: 16, seconds: 12 },
  slow: { fast: 8, slow: 8, messages: 1000, flooders: 4, flood: 9000 },
  dead: { dead: 200, living: 100 },
  shutdown: { healthy: 300, stuck: 300 }
}

export const usage = `npm run test:soak [-- options]

  --smoke             about two minutes instead of about half an hour
  --only <phase>      that phase alone; may be repeated
  --connections <n>   idle connections, where a process may not open so many descriptors
  --report <file>     where the report goes (default: test/soak/report.md)
`

export interface SoakOptions {
  smoke: boolean
  only: readonly string[]
  report: string | undefined
  scale: Scale
}

/** @throws Error with what is wrong with the command line */
export function parseOptions (args: string[]): SoakOptions {
  const { values } = parseArgs({
    args,
    options: {
      smoke: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      connections: { type: 'string' },
      report: { type: 'string' }
    }
  })
  const scale = structuredClone(values.smoke ? smoke : full)
  if (values.connections !== undefined) {
    const connections = Number(values.connections)
    if (!Number.isSafeInteger(connections) || connections < 1) {
      throw new Error(`--connections: expected a number from 1 on, got '${values.connections}'`)
    }
    scale.idle.connections = connections
  }
  return { smoke: values.smoke, only: values.only, report: values.report, scale }
}
