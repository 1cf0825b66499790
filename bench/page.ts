import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { figures, type Comparison, type Measurement } from './compare.js'
import { goals } from './goals.js'
import { places } from './growth.js'
import { benchFolder } from './rig/machine.js'
import { plot } from './rig/plot.js'
import { pairedRatio, ratios, show, showInterval, showSpread, spread } from './rig/statistics.js'
import { byRing, floor, native, reference, referenceOf, scenarios } from './scenarios.js'
import { table } from './rig/markdown.js'
import type { Flood, Stalls } from './events.js'
import type { Results, Sleeping } from './results.js'
import type { Growth } from './growth.js'
import type { Machine } from './rig/machine.js'
import type { Timed } from './process/timing.js'

/** The share of a core above which a process counts as limited. */
const busy = 0.93

const timingTitles: Record<string, string> = {
  hop: 'A message from `send` to its handler, 1000 sent at once',
  scheduler: '10 000 messages to so many processes that can all run',
  frames: 'Frames of text, 16 in a read',
  relations: 'Monitors, links and exits',
  names: 'Names',
  groups: 'Groups',
  spawn: 'A process, from start to end'
}

const scenarioOf = (name: string) => scenarios.find((scenario) => scenario.name === name)!

function median (comparison: Comparison, server: string, figure: keyof Measurement): string {
  const measured = figures(comparison, server, figure).filter((one) => one !== undefined)
  return measured.length === 0 ? '' : show(spread(measured).median)
}

function range (comparison: Comparison, server: string, figure: keyof Measurement): string {
  const measured = figures(comparison, server, figure).filter((one) => one !== undefined)
  return measured.length === 0 ? 'failed' : showSpread(spread(measured))
}

function ratio (comparison: Comparison, server: string, figure: keyof Measurement): string {
  const scenario = scenarioOf(comparison.scenario)
  const [ours, others] = [server, referenceOf(scenario)].map((name) =>
    figures(comparison, name, figure)
  )
  if (scenario.kinds !== undefined) {
    const interval = pairedRatio(ours, others)
    return interval === undefined ? '' : showInterval(interval)
  }
  const found = ratios(ours, others)
  return found === undefined ? '' : showSpread(found)
}

/** Whether the generator was the limit, and not the server. */
function isLimited (comparison: Comparison, server: string): boolean {
  return comparison.rounds[server].some(
    (measured) => (measured?.generatorCpu ?? 0) >= busy && (measured?.serverCpu ?? 1) < busy
  )
}

export function comparisonSection (comparison: Comparison): string {
  const scenario = scenarioOf(comparison.scenario)
  const { title, unit } = scenario
  const names = Object.keys(comparison.rounds)
  const limited = names.some((name) => isLimited(comparison, name))
  const rows =
    scenario.spec.kind === 'idle'
      ? table(
        ['server', 'RSS, KiB', 'heap, KiB', `RSS to ${referenceOf(scenario)}`],
        names.map((name) => [
          name,
          range(comparison, name, 'rss'),
          range(comparison, name, 'heap'),
          ratio(comparison, name, 'rss')
        ])
      )
      : table(
        [
          'server',
            `server CPU, µs a ${unit}`,
            `to ${referenceOf(scenario)}`,
            `${unit === 'delivery' ? 'deliveries' : `${unit}s`}/s`,
            'p50, µs',
            'p99, µs',
            'server core',
            'generator core'
        ],
        names.map((name) => [
          name,
          range(comparison, name, 'cpuPerUnit'),
          ratio(comparison, name, 'cpuPerUnit'),
          ...(['perSecond', 'p50', 'p99', 'serverCpu'] as const).map((figure) =>
            median(comparison, name, figure)
          ),
          median(comparison, name, 'generatorCpu') + (isLimited(comparison, name) ? ' †' : '')
        ])
      )
  const notes = [
    ...(limited
      ? [
          '† The generator was the limit in a round: per second and latency are its own; ' +
            'the server CPU for a unit is not.'
        ]
      : []),
    ...comparison.problems.map((problem) => `A measurement failed: ${problem}`)
  ]
  return [`### ${title}`, rows, ...notes].join('\n\n')
}

export function timingSection (name: string, timed: readonly Timed[]): string {
  const rows = timed.map((one) => {
    const baseline = timed.find((other) => other.name === one.baseline)
    const ratio = baseline && ratios(one.nanoseconds, baseline.nanoseconds)
    return [
      one.name,
      showSpread(spread(one.nanoseconds)),
      ratio === undefined ? '' : `${showSpread(ratio)} of "${one.baseline}"`
    ]
  })
  return `### ${timingTitles[name]}\n\n${table(['', 'ns', 'beside'], rows)}`
}

export function sleepingSection (sleeping: readonly Sleeping[]): string {
  const rows = sleeping.map(({ count, what, engine, heap, rss }) => [
    `${count.toLocaleString('en')}, ${engine ? `the engine alone: ${what}` : `\`${what}\``}`,
    show(heap),
    show(rss)
  ])
  return (
    '### A process that waits for mail\n\n' +
    `${table(['processes', 'heap, KiB', 'RSS, KiB'], rows)}\n\n` +
    'The engine alone: code that waits in the same way, what wakes it, and, where it is an ' +
    'async function, two bound functions that are told of its end.'
  )
}

export function stallSection ({ connections, seconds, ours, intervals }: Stalls): string {
  const row = (name: string, rounds: Stalls['ours']): string[] => [
    name,
    ...(['stall', 'pings', 'heartbeats'] as const).map((figure) =>
      showSpread(spread(rounds.map((round) => round[figure])))
    )
  ]
  const [stalls, references] = [ours, intervals].map((rounds) => rounds.map(({ stall }) => stall))
  return (
    '### The longest stall of the event loop\n\n' +
    `${connections.toLocaleString('en')} connections, each with a ping to its client and a ` +
    `heartbeat to the application every second, for ${seconds} s a round, after a turn of 1.5 s ` +
    'that made all of them due.\n\n' +
    table(
      ['', 'longest stall, ms', 'pings', 'heartbeats'],
      [row('one setInterval per connection', intervals), row('ours', ours)]
    ) +
    `\n\nRatio: ${showSpread(ratios(stalls, references)!)}.`
  )
}

export function floodSection (floods: readonly Flood[]): string {
  const across = (figure: (flood: Flood) => number): string =>
    showSpread(spread(floods.map(figure)))
  const rates = floods.map(({ messages, milliseconds }) => (messages / milliseconds) * 1000)
  return (
    '### HTTP beside a flood\n\n' +
    '1 000 000 messages from one process to another as fast as they go, and 10 keep-alive ' +
    'clients that ask the same server for a small JSON object, one request each at a time; ' +
    'after a flood of the same size that does not count. ' +
    `${show(spread(rates).median)} messages a second.\n\n` +
    table(
      ['', 'p50, µs', 'p99, µs'],
      [
        ['idle', across(({ idle }) => idle.p50), across(({ idle }) => idle.p99)],
        ['flooded', across(({ flooded }) => flooded.p50), across(({ flooded }) => flooded.p99)],
        [
          'ratio',
          across(({ idle, flooded }) => flooded.p50 / idle.p50),
          across(({ idle, flooded }) => flooded.p99 / idle.p99)
        ]
      ]
    )
  )
}

export function growthSection (growth: readonly Growth[]): string {
  const rows = growth.map(({ name, microseconds }) => [
    name,
    ...microseconds.map(show),
    show(microseconds[microseconds.length - 1] / microseconds[0])
  ])
  const head = ['', ...places.map((place) => place.toLocaleString('en')), 'last to first']
  return (
    '### Growth\n\nServer CPU for one message in µs; in flight is one message on each ' +
    `connection, or one publication.\n\n${table(head, rows)}`
  )
}

export function growthPlot (growth: readonly Growth[]): string {
  return plot(
    'CPU for one message, by how many there are',
    'µs',
    places,
    growth.map(({ name, microseconds }) => ({
      name: name.replace(/, by.*/, ''),
      values: microseconds
    }))
  )
}

export function goalSection (results: Results): string {
  const rows = goals(results).map(({ what, atMost, unit, measured, floor: least }) => {
    const verdict =
      measured === undefined ? 'not measured' : measured.median <= atMost ? 'met' : '**missed**'
    return [
      what,
      `≤ ${atMost} ${unit}`,
      measured === undefined ? '' : showSpread(measured),
      verdict,
      least === undefined ? '' : showSpread(least)
    ]
  })
  return `### Goals\n\nOurs with \`serve\`.\n\n${table(['', 'goal', 'measured', '', floor], rows)}`
}

function machineSection (
  { date, cpu, cores, memory, system, node, pinned, load, versions }: Machine,
  rounds: number
): string {
  return [
    `Run on ${date}: ${cpu}, ${cores} cores, ${memory}, ${system}, Node ${node}.`,
    `${rounds} rounds` +
      `${pinned ? ', server on core 0 and generator on core 1' : ', not pinned to cores'}; ` +
      `load when it began: ${load.toFixed(2)}.`,
    `${Object.entries(versions)
      .map(([name, version]) => `${name} ${version}`)
      .join(', ')}.`
  ].join('\n')
}

/** All measurements as Markdown. */
export function resultSections (results: Results): string[] {
  const {
    machine,
    rounds,
    comparisons = [],
    timings = {},
    sleeping,
    stalls,
    floods,
    growth
  } = results
  return [
    machineSection(machine, rounds),
    goalSection(results),
    ...comparisons.map(comparisonSection),
    ...stalls ? [stallSection(stalls)] : [],
    ...floods ? [floodSection(floods)] : [],
    ...growth ? [growthSection(growth)] : [],
    ...Object.entries(timings).map(([name, timed]) => timingSection(name, timed)),
    ...sleeping ? [sleepingSection(sleeping)] : []
  ]
}

/* eslint-disable @stylistic/max-len -- rows of a Markdown table */
const method = `# Benches

<!-- Made by \`npm run bench -- --write\`; the text is in bench/page.ts. -->

| command | what it does |
| --- | --- |
| \`npm run bench\` | everything, about 12 minutes; prints the tables |
| \`npm run bench -- --quick\` | one short round of everything, 2 minutes: a first look, not for quoting |
| \`npm run bench -- --write\` | writes this page and \`growth.svg\` too |
| \`npm run bench -- --only compare --scenarios echo,storm --rounds 3\` | a part: \`compare\`, \`process\`, \`events\` or \`growth\` |
| \`npm run bench -- --only compare --scenarios resume-echo,resume-fan-out,resume-idle --rounds 15\` | the cost of the option \`resume\`, for clients that use it and for others |
| \`npm run bench -- --only compare --scenarios json-echo --rounds 15\` | the cost of messages that a protocol checks |
| \`npm run bench -- --only compare --scenarios keyed-storm,keyed-echo --rounds 15\` | the cost of a target that is given by its key |
| \`npm run bench -- --only compare --scenarios dashboard-echo --rounds 15\` | the cost of a dashboard that nobody or somebody watches |
| \`npm run bench:process\` | the benches without sockets |
| \`npm run bench -- --from bench/dist/results.json --write\` | writes the page of the last run again |

Figures are worth nothing if the machine does something else at the same time: close all you
can.

## How it is measured

- The servers are in \`peers/\` (installed on demand from their own lock file) and \`servers/\`.
  All have the same contract: \`/echo\` returns a message to its sender, \`/room/:id\` sends it
  to everyone in the room, including the sender. Ours receives with \`serve\`, with
  \`for await\`, or with \`serve\` and \`groups.broadcast\`. \`${native}\` is \`serve\`
  with the native sender, where there is a C compiler. \`${byRing}\` is the same with io_uring,
  where the kernel allows it. \`${floor}\` is not a WebSocket server. It counts the bytes of its
  clients' frames, and answers each frame with one made before, with one write for all output of
  a socket in a turn. It shows the cost of the sockets in any server on Node. All servers have
  \`bufferutil\`; \`WS_NO_BUFFER_UTIL=1 npm run bench\` removes it from all.
- The generator (\`load/\`) is one thread of JavaScript on \`node:net\`. It masks each client's
  frames once, no two of them with the same text, and writes them again and again. Of the
  answers it reads headers and counts. A message of another length, or a lost connection,
  fails the measurement. Its share of a core is in the tables: † marks where it was the
  limit.
- Server and generator have one core each, if \`taskset\` is installed.
- The **server's CPU time per unit** is compared (user and system, all threads; from
  \`/proc\`), because on a shared machine it varies far less than messages a second. 10⁶
  divided by it is the capacity of a core.
- Servers are measured in turn, A B C, A B C, and so on. The first round of a server that
  stays is its warm-up, and is not counted. Storm and idle start a server for each
  measurement. Ratios are taken round by round. A figure is the median of the rounds, with
  the lowest and the highest. \`${reference} again\` is the same server once more, so its
  ratio is the noise.
- Benches without sockets are timed by tinybench, each in its own process, and their cases
  in turn too.
- Costs that must never grow are counted, not timed, by \`test/bench/\`: writes and frames of
  a broadcast, timers and listeners of a connection, promises of a message.

## Results
`

/**
 * The README of this folder: the method, the results of a run, and the explanations of notes.md.
 */
export function page (results: Results | undefined): string {
  const sections =
    results === undefined
      ? ['No run has been written yet: `npm run bench -- --write`.']
      : resultSections(results)
  const drawn = sections.map((section) =>
    section.startsWith('### Growth')
      ? `${section}\n\n![CPU for one message at 10 to 10 000](growth.svg)`
      : section
  )
  const notes = readFileSync(join(benchFolder, 'notes.md'), 'utf8')
  return `${method}\n${drawn.join('\n\n')}\n\n${notes}`
}
