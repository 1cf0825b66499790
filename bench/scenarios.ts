import type { PlainSpec } from './load/plain.js'
import type { RoomsSpec } from './load/rooms.js'
import type { IdleSpec, StormSpec } from './load/storm.js'
import type { ServerKind } from './rig/server.js'

export const reference = 'raw ws'
/** The cost of sockets alone: frames are not parsed, and answers are prepared. */
export const floor = 'bare net'

export const native = 'ours, native'
export const byRing = 'ours, native by io_uring'

/** One of our servers; the argument is that of bench/servers/ours.ts. */
const ours = (
  name: string, argument: string, protocol: ServerKind['protocol'] = 'ws'
): ServerKind => ({ name, file: 'ours.js', argument, protocol })

/** The same server again: the distance of its ratio from 1 is the noise of the run. */
const again = (kind: ServerKind): ServerKind => ({ ...kind, name: `${kind.name} again` })

/** The cost of a feature: a server without it, those with it, and the first one again. */
const withAndWithout = (first: ServerKind, ...others: ServerKind[]): ServerKind[] =>
  [first, ...others, again(first)]

const raw: ServerKind = { name: reference, file: 'raw-ws.mjs', protocol: 'ws' }

/** The servers in the order of a round. */
export const servers: readonly ServerKind[] = [
  raw,
  again(raw),
  { name: floor, file: 'bare-net.mjs', protocol: 'ws' },
  { name: '@fastify/websocket', file: 'fastify-websocket.mjs', protocol: 'ws' },
  { name: 'Socket.IO', file: 'socket.io.mjs', protocol: 'socket.io' },
  ours('ours, serve', 'serve'),
  ours('ours, for await', 'loop'),
  ours('ours, broadcast', 'broadcast'),
  { ...ours(native, 'serve native'), native: 'send' },
  { ...ours(byRing, 'serve native'), native: 'io_uring' }
]

export const alone = 'Fastify alone'
export const withRelay = 'Fastify with the relay'

const plain: ServerKind = { name: alone, file: 'plain.js', protocol: 'ws' }

export const withoutResume = 'ours, without resume'
export const resumeUnused = 'ours, resume unused'
export const resumeUsed = 'ours, resume used'

/** The cost of the option `resume`, for clients that use it and for others. */
const resumeServers = [
  ours(withoutResume, 'serve'),
  ours(resumeUnused, 'serve resume'),
  ours(resumeUsed, 'serve resume', 'resume')
]

/** The servers of ordinary requests. */
const plainServers = withAndWithout(plain, { ...plain, name: withRelay, argument: 'relay' })

/** The cost of the metrics, when they are read far more often than usual. */
const metricsServers = withAndWithout(
  ours('ours, without metrics', 'serve'), ours('ours, metrics read', 'serve metrics')
)

export const withoutDashboard = 'ours, without dashboard'
export const unwatched = 'ours, nobody watches'
export const watched = 'ours, one viewer'

/** The cost of a dashboard with and without a viewer, beside 10 000 processes that wait. */
const dashboardServers = withAndWithout(
  ours(withoutDashboard, 'serve crowd'),
  ours(unwatched, 'serve dashboard'),
  ours(watched, 'serve watched')
)

/** The cost of a target that is given by its key. */
const keyedServers = withAndWithout(
  ours('ours, relay(pid)', 'serve'), ours('ours, relay(key)', 'serve keyed')
)

export const parsesItself = 'ours, JSON.parse in the handler'
export const checked = 'ours, protocol'

/** The cost of messages that a schema checks. */
const jsonServers = withAndWithout(
  ours(parsesItself, 'serve json', 'json'), ours(checked, 'serve protocol', 'json')
)

export interface Scenario {
  name: string
  title: string
  /** The unit of work. */
  unit: string
  spec: Partial<RoomsSpec> | Partial<StormSpec> | Partial<IdleSpec> | Partial<PlainSpec>
  /** Whether each measurement starts a new server. */
  fresh?: boolean
  /** Servers that are skipped, because another scenario measures the same. */
  without?: readonly string[]
  /** The maximum number of rounds. */
  rounds?: number
  /** The minimum number of rounds. */
  atLeast?: number
  /** Its own servers, in place of those of WebSockets. The first one is the reference. */
  kinds?: readonly ServerKind[]
}

const times = { warmup: 0.2, seconds: 0.8 }
const ownRooms = ['ours, broadcast']

/** 100 connections with one message of 200 B in flight on each. */
const echo: Scenario['spec'] = { kind: 'rooms', connections: 100, size: 200, depth: 1, ...times }
/** One publishes 200 B to 1000, itself among them. */
const fanOut: Scenario['spec'] = {
  kind: 'rooms', connections: 1000, rooms: 1, oneSpeaker: true, size: 200, depth: 1, ...times
}
/** Connections that are upgraded and have one answer each. */
const storm: Scenario['spec'] = { kind: 'storm', connections: 5000, size: 200 }
/** Open connections that had one answer each. */
const idle: Scenario['spec'] = { kind: 'idle', connections: 10_000, size: 200 }

export const scenarios: readonly Scenario[] = [
  {
    name: 'echo',
    title: 'Echo: 100 connections, 200 B, one message in flight on each',
    unit: 'message',
    spec: echo,
    without: ownRooms
  },
  {
    name: 'echo-16',
    title: 'Echo: 100 connections, 200 B, 16 messages in flight on each',
    unit: 'message',
    spec: { kind: 'rooms', connections: 100, size: 200, depth: 16, ...times },
    without: ownRooms
  },
  {
    name: 'echo-4k',
    title: 'Echo: 100 connections, 4 KiB, one message in flight on each',
    unit: 'message',
    spec: { kind: 'rooms', connections: 100, size: 4096, depth: 1, ...times },
    without: ownRooms
  },
  {
    name: 'fan-out',
    title: 'Fan-out: one publishes to 1000, itself among them, 200 B',
    unit: 'delivery',
    spec: fanOut
  },
  {
    name: 'rooms',
    title: '100 rooms of 10, 200 B, one message in flight in each room',
    unit: 'delivery',
    spec: { kind: 'rooms', connections: 1000, rooms: 100, size: 200, depth: 1, ...times }
  },
  {
    name: 'hot-rooms',
    title: '10 rooms of 100, 200 B, 16 messages in flight in each room',
    unit: 'delivery',
    spec: { kind: 'rooms', connections: 1000, rooms: 10, size: 200, depth: 16, ...times }
  },
  {
    name: 'storm',
    title: '5000 connections, at most 128 unfinished; each is upgraded and has one answer',
    unit: 'connection',
    spec: storm,
    fresh: true,
    without: [floor, 'ours, for await', 'ours, broadcast']
  },
  {
    name: 'idle',
    title: '10 000 open connections that had one answer each',
    unit: 'connection',
    spec: idle,
    fresh: true,
    without: ['raw ws again', floor, 'ours, for await', 'ours, broadcast'],
    rounds: 3
  },
  {
    name: 'resume-echo',
    title: 'Echo, as above, with and without resume',
    unit: 'message',
    spec: echo,
    kinds: resumeServers
  },
  {
    name: 'resume-fan-out',
    title: 'Fan-out, as above, with and without resume',
    unit: 'delivery',
    spec: fanOut,
    kinds: resumeServers
  },
  {
    name: 'resume-idle',
    title: 'Idle connections, as above, with and without resume',
    unit: 'connection',
    spec: idle,
    fresh: true,
    kinds: resumeServers,
    rounds: 3
  },
  {
    name: 'metrics-echo',
    title: 'Echo, as above, with metrics that are read ten times a second',
    unit: 'message',
    spec: echo,
    kinds: metricsServers
  },
  {
    name: 'json-echo',
    title: 'Echo of JSON, 100 connections, that a schema checks or the handler parses itself',
    unit: 'message',
    spec: echo,
    kinds: jsonServers
  },
  {
    name: 'dashboard-echo',
    title: 'Echo, as above, with a dashboard that nobody or somebody watches',
    unit: 'message',
    spec: echo,
    kinds: dashboardServers
  },
  {
    name: 'keyed-storm',
    title: 'Connections, as above, with a target that is given by its PID or by its key',
    unit: 'connection',
    spec: storm,
    fresh: true,
    kinds: keyedServers
  },
  {
    name: 'keyed-echo',
    title: 'Echo, as above, with a target that is given by its PID or by its key',
    unit: 'message',
    spec: echo,
    kinds: keyedServers
  },
  {
    name: 'plain',
    title: 'Plain GET: 32 connections that are kept alive, one request in flight on each',
    unit: 'request',
    spec: { kind: 'plain', connections: 32, warmUp: 20_000, requests: 30_000 },
    fresh: true,
    kinds: plainServers,
    atLeast: 15
  }
]

/** The server that the others of a scenario are compared with. */
export function referenceOf ({ kinds }: Scenario): string {
  return kinds === undefined ? reference : kinds[0].name
}
