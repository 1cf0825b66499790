import type { End } from '../../types/explain.js'
import type { ProcessInfo, SystemHealth } from '../../types/info.js'
import type { Pid } from '../../types/pid.js'
import type { KeyedStats, ProcessStats } from '../../types/stats.js'
import type { TraceEvent } from '../../types/trace.js'

// The messages between the page and the server. The page sends requests as JSON text. The server
// sends `{"topic": …, "data": …}` with the topics of `ServerTopics`.

/** Rows of one answer, at most. */
export const maxLimit = 500
export const defaultLimit = 50
/** The shortest time between two answers to one watch, in milliseconds. */
export const minEvery = 1000
/** Watches of one socket at a time. */
export const maxWatches = 4
/** Characters of a text in a row: a longer one is cut, and ends with `…`. */
export const maxText = 200
/** Milliseconds of history that the first overview has. */
export const historyTime = 5 * 60 * 1000

export const views = [
  'overview', 'connections', 'processes', 'process', 'supervisors', 'groups', 'nodes', 'ends',
  'trace'
] as const

export type View = typeof views[number]

export const actions = ['close', 'exit', 'cancel', 'transfer', 'send'] as const

export type Action = typeof actions[number]

// Requests

/**
 * Asks for a view. The first answer comes at once, and others follow, `every` milliseconds after
 * the client has read the one before. It replaces the watch with the same `id`.
 */
export interface WatchRequest {
  readonly view: View
  /** Up to 32 characters or a number; it stands in each answer. @defaultValue the view */
  readonly id?: string | number
  /** The node that is shown. @defaultValue the node of the socket */
  readonly node?: string
  /** A column of the view, with `-` before it to sort downwards. @defaultValue `-started` */
  readonly sort?: string
  /** Shows rows with this text only, whatever the case. At most 100 characters. */
  readonly filter?: string
  /** Shows ends of this cause only. */
  readonly cause?: End['cause']
  /** The process of the views `process` and `trace`: a PID or a name. */
  readonly pid?: string
  /** Rows, 1 to 500. @defaultValue 50 */
  readonly limit?: number
  /** Milliseconds, or a duration such as `'2s'`, 1 s to 1 h. @defaultValue 1 s */
  readonly every?: number | string
}

/** Ends a watch. */
export interface StopRequest {
  readonly id: string | number
  readonly view: null
}

interface ActionCommon {
  readonly id: string | number
  readonly pid: string
}

/** Asks for an action that the options of the dashboard allow. */
export type ActionRequest = ActionCommon & (
  /** Closes a connection. @defaultValue code 1000 */
  | { readonly action: 'close', readonly code?: number, readonly reason?: string }
  /** Ends a process at once. @defaultValue reason 'shutdown' */
  | { readonly action: 'exit', readonly reason?: string }
  /** Asks a process to stop. @defaultValue reason 'shutdown' */
  | { readonly action: 'cancel', readonly reason?: string }
  /** Hands a connection to another target: a PID, a name or the address of a key. */
  | { readonly action: 'transfer', readonly target: string }
  | { readonly action: 'send', readonly topic: string, readonly payload?: unknown }
)

export type ClientRequest = WatchRequest | StopRequest | ActionRequest

// Answers

/** The topics that the server sends. */
export interface ServerTopics {
  hello: Hello
  answer: Answer
  acted: Acted
  problem: Problem
}

/** The first message on each socket. */
export interface Hello {
  /** Of this protocol. */
  readonly version: 1
  /** The node of the socket. */
  readonly node: string
  readonly actions: readonly Action[]
}

/** A request that was refused, or a view that failed. It ends the watch with this `id`. */
export interface Problem {
  /** Undefined if the request had none. */
  readonly id?: string | number
  /** A code of the package, for example `FST_WS_RELAY_INVALID_REQUEST`. */
  readonly code: string
  readonly message: string
}

/** The answer to an action that is allowed. */
export interface Acted {
  readonly id: string | number
  readonly action: Action
  /** Whether it was accepted: `false` for a process that is not alive any more. */
  readonly ok: boolean
  /** Why not. */
  readonly message?: string
}

interface AnswerCommon<V extends View> {
  readonly id: string | number
  readonly view: V
  readonly node: string
  /** Milliseconds since 1970, by the clock of `node`. */
  readonly at: number
}

/** An answer with rows. */
interface ListAnswer<V extends View, R> extends AnswerCommon<V> {
  /** All entries of the view, shown or not. */
  readonly total: number
  /** Those with the text of the filter. */
  readonly matched: number
  readonly rows: readonly R[]
}

export type Answer =
  | OverviewAnswer
  | ListAnswer<'connections', ConnectionRow>
  | ListAnswer<'processes', ProcessRow>
  | ProcessAnswer
  | ListAnswer<'supervisors', SupervisionRow>
  | ListAnswer<'groups', GroupRow>
  | ListAnswer<'nodes', NodeRow>
  | ListAnswer<'ends', EndRow>
  | TraceAnswer

export type AnswerTo<V extends View> = Extract<Answer, { readonly view: V }>

/** A process or connection that a row refers to. */
export interface Reference {
  readonly pid: Pid
  /** Absent if it is not alive on the node. */
  readonly label?: string
  /** Its first name. */
  readonly name?: string
}

export interface OverviewAnswer extends AnswerCommon<'overview'> {
  readonly health: SystemHealth
  /** Milliseconds for which the program runs. */
  readonly uptime: number
  /** Without the exit reasons, of which there may be many. `Infinity` is `null`, as in JSON. */
  readonly stats: Omit<ProcessStats, 'exited' | 'turns' | 'keyed'>
  /** The processes with keys, of all kinds together. */
  readonly keyed: KeyedStats
  readonly turns: { readonly count: number, readonly total: number }
  /** The first answer has the last 5 minutes, later ones have the points since the one before. */
  readonly points: readonly Point[]
  /** The last abnormal ends of processes, the newest first: at most 8. */
  readonly recent: readonly EndRow[]
}

/** One second of history. It is only recorded while somebody watches. */
export interface Point {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly open: number
  readonly suspended: number
  readonly paused: number
  readonly parked: number
  readonly processes: number
  /** Per second, since the point before: the next seven. */
  readonly messagesIn: number
  readonly messagesOut: number
  /** Messages to processes and to clients. */
  readonly sent: number
  readonly refused: number
  readonly deadLetters: number
  readonly refusedUpgrades: number
  readonly turns: number
  /** The share of the time that turns have taken, 0 to 1. */
  readonly busy: number
  /** The mean and the longest delay of the event loop, in milliseconds. */
  readonly delay: number
  readonly maxDelay: number
  /** Bytes. */
  readonly rss: number
}

/** `state` is the first that applies. */
export type ConnectionState = 'suspended' | 'parked' | 'limited' | 'paused' | 'open'

/** Sorted by `started`, `state`, `name`, `target`, `messages`, `buffered` or `dropped`. */
export interface ConnectionRow {
  readonly pid: Pid
  readonly name?: string
  readonly state: ConnectionState
  readonly target: Reference
  /** Milliseconds. */
  readonly uptime: number
  /** Messages of the client. */
  readonly messages: number
  /** Bytes that wait for the client. */
  readonly buffered: number
  /** Messages that `overflow: 'drop'` has dropped. */
  readonly dropped: number
}

/** Sorted by `started`, `label`, `name`, `mailbox`, `status` or `kind`. */
export interface ProcessRow {
  readonly pid: Pid
  readonly kind: 'process' | 'supervisor'
  readonly label: string
  readonly name?: string
  /** Names beyond the first one. */
  readonly moreNames: number
  readonly status: ProcessInfo['status']
  readonly mailbox: number
  readonly uptime: number
}

export interface ProcessAnswer extends AnswerCommon<'process'> {
  /** As it was asked for. */
  readonly pid: string
  /** Absent if it is not alive on the node. */
  readonly info?: ProcessDetails
  /** Why it has ended: absent if it is alive, or if the node has not made this PID. */
  readonly explanation?: EndDetails
}

/** Lists have at most 100 entries; `more` counts the others. */
export interface ProcessDetails {
  readonly pid: Pid
  readonly kind: ProcessInfo['kind']
  readonly label: string
  readonly status: ProcessInfo['status']
  readonly mailbox: number
  readonly uptime: number
  readonly names: readonly string[]
  readonly groups: readonly string[]
  readonly links: readonly Reference[]
  /** The processes that it monitors. */
  readonly monitors: readonly Reference[]
  readonly more: {
    readonly names: number
    readonly groups: number
    readonly links: number
    readonly monitors: number
  }
  /** Its supervisors, the outermost first. Empty if it has none. */
  readonly path: readonly PathStep[]
  /** Only for a connection. */
  readonly connection?: Omit<ConnectionRow, 'pid' | 'name' | 'uptime'>
}

/** A supervisor above a process. */
export interface PathStep extends Reference {
  /** The id of the child that leads to the process. */
  readonly child: string
  /** Restarts of that child. */
  readonly restarts: number
}

/** The explanation of an end, for people and as data. */
export interface EndDetails {
  readonly state: 'ended' | 'forgotten' | 'unreachable'
  readonly text: string
  /** Its end, then the end that led to it, and so on: at most 10. */
  readonly chain: readonly EndSummary[]
  /** The ends that the last one of the chain has led to. */
  readonly together: number
  readonly restartedAs?: Pid
}

/**
 * A supervisor or a child. Rows are in the order of the tree: the children of a supervisor follow
 * it, with a higher `depth`. There is no other order. With a filter, the supervisors above a
 * matching row are shown too.
 */
export interface SupervisionRow {
  readonly depth: number
  /** The id among the children; absent for a supervisor that no other one has started. */
  readonly id?: string
  /** Absent while it waits for a restart, or when it has ended and stays so. */
  readonly pid?: Pid
  readonly label?: string
  readonly name?: string
  readonly kind: 'process' | 'supervisor'
  /** How often it was restarted. */
  readonly restarts: number
  /** Milliseconds since its last restart. */
  readonly restarted?: number
  readonly uptime?: number
  /** Only for a supervisor that is alive. */
  readonly supervisor?: SupervisorState
}

export interface SupervisorState {
  readonly strategy: 'one_for_one' | 'one_for_all' | 'rest_for_one'
  readonly children: number
  readonly maxRestarts: number
  /** Milliseconds. */
  readonly period: number
  /** Restarts within the period before it gives up. */
  readonly left: number
}

/** Sorted by `members` or `name`. The default is `-members`. */
export interface GroupRow {
  readonly name: string
  readonly members: number
  /** The first five. */
  readonly first: readonly Reference[]
}

/** This node comes first. The others are sorted by name. */
export interface NodeRow {
  readonly node: string
  readonly state: 'up' | 'down'
  /** Milliseconds since 1970: when this state began; for this node, when it started. */
  readonly since: number
  /** Whether it is the node that has answered. */
  readonly self: boolean
  /** Whether its views can be shown: it has a dashboard, too. */
  readonly viewable: boolean
}

/** As in `explain`, with shorter texts. */
export interface EndSummary extends Omit<End, 'error'> {
  /** Its message is cut after 200 characters. */
  readonly error?: { readonly name: string, readonly message: string, readonly frame?: string }
}

/** An end, the newest first. Ends with the same cause are one row. */
export interface EndRow extends EndSummary {
  /** How many ends this row stands for. */
  readonly count: number
  /** How many ends it has led to directly. */
  readonly together: number
  /** One sentence, for people. */
  readonly text: string
}

export interface TraceAnswer extends AnswerCommon<'trace'> {
  readonly pid: Pid
  /** The events since the answer before, up to `limit`. */
  readonly events: readonly TraceRow[]
  /** Events that were left out because there were too many. */
  readonly dropped: number
  /** Whether it has ended. No more answers come. */
  readonly ended: boolean
}

/** An event of `processes.trace`, without its payload. */
export interface TraceRow {
  readonly type: TraceEvent['type']
  /** Milliseconds since 1970. */
  readonly at: number
  readonly topic?: string
  readonly from?: Reference
  readonly to?: Reference
  /** Messages in the mailbox of the process. */
  readonly mailbox?: number
  /** Milliseconds in the mailbox. */
  readonly waited?: number
  readonly accepted?: boolean
  readonly bytes?: number
  readonly binary?: boolean
  readonly reason?: string
  readonly error?: { readonly name: string, readonly message: string }
}
