import { figures, type Measurement } from './compare.js'
import {
  alone, byRing, checked, floor, native, parsesItself, reference, resumeUnused, resumeUsed,
  unwatched, watched, withRelay, withoutDashboard, withoutResume
} from './scenarios.js'
import { ratios, spread, type Spread } from './rig/statistics.js'
import type { Results } from './results.js'

/** A promised figure, and the measured one. */
export interface Goal {
  what: string
  atMost: number
  unit: string
  measured: Spread | undefined
  /** The cost of the same bytes without a WebSocket. */
  floor?: Spread
}

/** The ratio of a figure of ours to another server's: by default of the server CPU for a unit. */
function toReference (
  results: Results,
  scenario: string,
  other: string = reference,
  ours = 'ours, serve',
  figure: keyof Measurement = 'cpuPerUnit'
): Spread | undefined {
  const comparison = results.comparisons?.find((one) => one.scenario === scenario)
  return (
    comparison &&
    ratios(figures(comparison, ours, figure), figures(comparison, other, figure))
  )
}

/** The CPU time of a message in microseconds, minus that of another server. Negative: less. */
function added (
  results: Results, scenario: string, server: string, other: string
): Spread | undefined {
  const comparison = results.comparisons?.find((one) => one.scenario === scenario)
  if (comparison === undefined) return undefined
  const [ours, raw] = [server, other].map((name) => figures(comparison, name, 'cpuPerUnit'))
  const differences = ours.flatMap((figure, round) =>
    figure === undefined || raw[round] === undefined ? [] : [figure - raw[round]]
  )
  return differences.length === 0 ? undefined : spread(differences)
}

function idle (results: Results, figure: keyof Measurement): Spread | undefined {
  const comparison = results.comparisons?.find((one) => one.scenario === 'idle')
  const measured =
    comparison && figures(comparison, 'ours, serve', figure).filter((one) => one !== undefined)
  return measured?.length ? spread(measured) : undefined
}

/** Bytes of heap of an idle connection beyond those without the option `resume`. */
function addedByResume (results: Results, server: string): Spread | undefined {
  const comparison = results.comparisons?.find(({ scenario }) => scenario === 'resume-idle')
  if (comparison === undefined) return undefined
  const [without, heaps] = [withoutResume, server].map((name) => figures(comparison, name, 'heap'))
  const differences = heaps.flatMap((heap, round) => {
    const other = without[round]
    return heap === undefined || other === undefined ? [] : [1024 * (heap - other)]
  })
  return differences.length === 0 ? undefined : spread(differences)
}

function hop (results: Results, name: string): Spread | undefined {
  const timed = results.timings?.hop?.find((one) => one.name === name)
  return timed && spread(timed.nanoseconds)
}

function once (figure: number | undefined): Spread | undefined {
  return figure === undefined ? undefined : spread([figure])
}

/** The performance goals of the project. All are listed, including missed ones. */
export function goals (results: Results): Goal[] {
  const { stalls, floods, sleeping } = results
  const ofRaw = (what: string, atMost: number, scenario: string): Goal => ({
    what,
    atMost,
    unit: `of ${reference}`,
    measured: toReference(results, scenario),
    floor: toReference(results, scenario, reference, floor)
  })
  /** The largest heap of a process for any number of processes. */
  const asleep = (what: string): number | undefined =>
    sleeping && Math.max(...sleeping.filter((one) => one.what === what).map(({ heap }) => heap))
  return [
    ofRaw('echo, server CPU', 0.75, 'echo'),
    ofRaw('echo with 16 in flight, server CPU', 0.17, 'echo-16'),
    ofRaw('echo of 4 KiB, server CPU', 0.75, 'echo-4k'),
    ofRaw('fan-out 1 to 1000, server CPU', 0.8, 'fan-out'),
    ofRaw('rooms 100 x 10, server CPU', 0.65, 'rooms'),
    ofRaw('hot rooms 10 x 100, server CPU', 0.06, 'hot-rooms'),
    ...[
      ['echo', 0.72], ['echo-16', 0.12], ['fan-out', 0.66], ['rooms', 0.6], ['hot-rooms', 0.075]
    ].map(([scenario, atMost]) => ({
      what: `${scenario}: with the native sender, server CPU`,
      atMost: atMost as number,
      unit: `of ${reference}`,
      measured: toReference(results, scenario as string, reference, native)
    })),
    ...([['fan-out', 0.66], ['rooms', 0.6], ['hot-rooms', 0.075]] as const).map(
      ([scenario, atMost]) => ({
        what: `${scenario}: with the native sender by io_uring, server CPU`,
        atMost,
        unit: `of ${reference}`,
        measured: toReference(results, scenario, reference, byRing)
      })
    ),
    ...(['echo-4k', 'storm'] as const).map((scenario) => ({
      what: `${scenario}: with the native sender, server CPU`,
      atMost: 1.02,
      unit: 'of ours, serve',
      measured: toReference(results, scenario, 'ours, serve', native)
    })),
    ...(['rss', 'heap'] as const).map((figure) => ({
      what: `idle connection with the native sender, ${figure === 'rss' ? 'RSS' : 'heap'}`,
      atMost: 1.02,
      unit: 'of ours, serve',
      measured: toReference(results, 'idle', 'ours, serve', native, figure)
    })),
    ...['fan-out', 'rooms', 'hot-rooms'].map((scenario) => ({
      what: `${scenario}: \`groups.broadcast\` beside a loop over PIDs`,
      atMost: 1.1,
      unit: 'of ours, serve',
      measured: toReference(results, scenario, 'ours, serve', 'ours, broadcast')
    })),
    ...['echo', 'rooms'].map((scenario) => ({
      what: `${scenario}: a \`for await\` loop beside \`serve\``,
      atMost: 1.1,
      unit: 'of ours, serve',
      measured: toReference(results, scenario, 'ours, serve', 'ours, for await')
    })),
    {
      what: 'echo: a message from a socket to a process and back',
      atMost: 0.6,
      unit: 'µs more than raw ws',
      measured: added(results, 'echo', 'ours, serve', reference)
    },
    {
      what: 'JSON echo: a message that a protocol checks',
      atMost: 1,
      unit: 'µs more than JSON.parse in the handler',
      measured: added(results, 'json-echo', checked, parsesItself)
    },
    {
      what: 'connect storm, server CPU',
      atMost: 1,
      unit: 'of @fastify/websocket',
      measured: toReference(results, 'storm', '@fastify/websocket')
    },
    {
      what: 'a plain GET request, server CPU',
      atMost: 1.02,
      unit: `of ${alone}`,
      measured: toReference(results, 'plain', alone, withRelay)
    },
    ...['echo', 'fan-out'].flatMap((scenario) => [
      { server: resumeUnused, atMost: 1.02, who: 'does not resume' },
      { server: resumeUsed, atMost: 1.05, who: 'may resume' }
    ].map(({ server, atMost, who }) => ({
      what: `${scenario}: a client that ${who}, server CPU`,
      atMost,
      unit: `of ${withoutResume}`,
      measured: toReference(results, `resume-${scenario}`, withoutResume, server)
    }))),
    {
      what: 'echo beside a dashboard that nobody watches, server CPU',
      atMost: 1.02,
      unit: `of ${withoutDashboard}`,
      measured: toReference(results, 'dashboard-echo', withoutDashboard, unwatched)
    },
    {
      what: 'echo beside a dashboard with one viewer, server CPU',
      atMost: 1.1,
      unit: `of ${withoutDashboard}`,
      measured: toReference(results, 'dashboard-echo', withoutDashboard, watched)
    },
    {
      what: 'idle connection that does not resume, heap',
      atMost: 8,
      unit: `B more than ${withoutResume}`,
      measured: addedByResume(results, resumeUnused)
    },
    {
      what: 'idle connection that may resume, heap',
      atMost: 400,
      unit: `B more than ${withoutResume}`,
      measured: addedByResume(results, resumeUsed)
    },
    { what: 'idle connection, RSS', atMost: 6, unit: 'KiB', measured: idle(results, 'rss') },
    { what: 'idle connection, heap', atMost: 3, unit: 'KiB', measured: idle(results, 'heap') },
    {
      what: 'a message to a handler of `serve`',
      atMost: 140,
      unit: 'ns',
      measured: hop(results, 'serve')
    },
    {
      what: 'a message to a `for await` loop',
      atMost: 270,
      unit: 'ns',
      measured: hop(results, 'for await')
    },
    {
      what: 'a message to a `receive` loop',
      atMost: 270,
      unit: 'ns',
      measured: hop(results, 'receive')
    },
    {
      what: 'a sleeping process with `serve`, heap',
      atMost: 0.6,
      unit: 'KiB',
      measured: once(asleep('serve'))
    },
    {
      what: 'a sleeping process with `for await`, heap',
      atMost: 0.6,
      unit: 'KiB',
      measured: once(asleep('for await'))
    },
    {
      what: 'longest stall by pings and heartbeats',
      atMost: 0.1,
      unit: 'of one setInterval per connection',
      measured:
        stalls &&
        ratios(
          stalls.ours.map(({ stall }) => stall),
          stalls.intervals.map(({ stall }) => stall)
        )
    },
    {
      what: 'HTTP p99 beside a flood of 1 000 000 messages',
      atMost: 3,
      unit: 'of idle',
      measured: floods && spread(floods.map(({ idle, flooded }) => flooded.p99 / idle.p99))
    }
  ]
}
