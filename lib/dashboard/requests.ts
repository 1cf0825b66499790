import { Type } from '@sinclair/typebox'
import { errorCodes, show, toError } from '../errors.js'
import { toMilliseconds } from '../shared/duration.js'
import { choice, custom, duration, integer, optionsCheck } from '../shared/options.js'
import { actions, defaultLimit, maxLimit, minEvery, views } from './frames.js'
import type { Option } from '../shared/options.js'
import type { ActionRequest, ClientRequest, View, WatchRequest } from './frames.js'

const { FST_WS_RELAY_INVALID_REQUEST } = errorCodes

const maxEvery = 60 * 60 * 1000

/** The columns by which each view can be sorted; the first one is the default, downwards. */
export const columns: Record<View, readonly string[]> = {
  overview: [],
  connections: ['started', 'state', 'name', 'target', 'messages', 'buffered', 'dropped'],
  processes: ['started', 'label', 'name', 'mailbox', 'status', 'kind'],
  process: [],
  supervisors: [],
  groups: ['members', 'name'],
  nodes: [],
  ends: [],
  trace: []
}

/** A request for a view, checked. */
export interface Watch {
  readonly id: string | number
  readonly view: View
  readonly node: string | undefined
  readonly column: string
  readonly isDescending: boolean
  /** In lower case. */
  readonly filter: string
  readonly cause: string | undefined
  readonly pid: string
  readonly limit: number
  readonly every: number
  /** As the page has sent it, for another node. */
  readonly request: string
}

function text (expected: string, maxLength: number): Option {
  return {
    schema: Type.String({ minLength: 1, maxLength }), default: undefined, expected
  }
}

const isId = (value: unknown): boolean => {
  return Number.isSafeInteger(value) || (typeof value === 'string' && value.length <= 32)
}
const id = custom(undefined, 'an integer or up to 32 characters', isId)
const requiredId = { ...id, required: true } as const
const address = text('a PID or a name', 512)
const reason = text('1 to 256 characters', 256)

const watchFields = {
  view: { ...choice(views, 'overview'), required: true },
  id,
  node: text('the name of a node', 64),
  sort: text("a column, with '-' before it to sort downwards", 32),
  filter: {
    schema: Type.String({ maxLength: 100 }), default: '', expected: 'at most 100 characters'
  },
  cause: text('a cause', 32),
  pid: address,
  limit: integer(defaultLimit, undefined, 1, maxLimit),
  every: duration(minEvery, minEvery, undefined, maxEvery)
} satisfies Record<keyof WatchRequest, Option>

const stopFields = {
  view: { schema: Type.Null(), default: null, expected: 'null', required: true },
  id: requiredId
} as const

const actionFields = {
  id: requiredId,
  action: { ...choice(actions, 'close'), required: true },
  pid: { ...address, required: true }
} as const

const fieldsOf = {
  close: { ...actionFields, code: integer(1000, undefined, 1000, 4999), reason },
  exit: { ...actionFields, reason },
  cancel: { ...actionFields, reason },
  transfer: { ...actionFields, target: { ...address, required: true } },
  send: {
    ...actionFields,
    topic: { ...text('1 to 128 characters', 128), required: true },
    payload: custom(undefined, 'a value', () => true)
  }
} as const

const invalid = (problem: string, cause?: Error): Error => {
  return new FST_WS_RELAY_INVALID_REQUEST(problem, { cause })
}
const checkWatch = optionsCheck(watchFields, invalid, { owner: 'a request for a view' })
const checkStop = optionsCheck(stopFields, invalid, { owner: 'a request to stop' })
const checkAction = Object.fromEntries(actions.map((action) => {
  return [action, optionsCheck(fieldsOf[action], invalid, { owner: `the action '${action}'` })]
}))

/** A message of the page, read. */
export type ReadRequest = { readonly id?: string | number } & (
  | { readonly watch: Watch }
  | { readonly stop: string | number }
  | { readonly act: ActionRequest }
  | { readonly error: Error }
)

/** Reads a message of a client, which is untrusted. It never throws. */
export function readRequest (data: unknown): ReadRequest {
  let request: unknown
  try {
    if (typeof data !== 'string') throw invalid('expected text')
    request = parse(data)
    return toRequest(request as ClientRequest, data)
  } catch (err) {
    const given = (request as { id?: unknown } | null | undefined)?.id
    return { error: toError(err), ...isId(given) && { id: given as string } }
  }
}

function parse (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (err) {
    throw invalid('expected JSON', toError(err))
  }
}

function toRequest (request: ClientRequest, text: string): ReadRequest {
  if (typeof request !== 'object' || request === null) {
    throw invalid(`expected an object, got '${show(request)}'`)
  }
  if ('action' in request) {
    const { action } = request
    if (!actions.includes(action)) {
      throw invalid(`there is no action '${show(action)}', only ${actions.join(', ')}`)
    }
    checkAction[action](request)
    return { id: request.id, act: request }
  }
  if (request.view === null) {
    checkStop(request)
    return { id: request.id, stop: request.id }
  }
  checkWatch(request)
  const watch = toWatch(request, text)
  return { id: watch.id, watch }
}

function toWatch (request: WatchRequest, text: string): Watch {
  const { view, id = view, node, filter = '', cause, limit = defaultLimit, pid } = request
  if ((view === 'process' || view === 'trace') && pid === undefined) {
    throw invalid(`the view '${view}' needs 'pid'`)
  }
  return {
    id,
    view,
    node,
    ...orderOf(request),
    filter: filter.toLowerCase(),
    cause,
    pid: pid ?? '',
    limit,
    every: toMilliseconds(request.every ?? minEvery),
    request: text
  }
}

function orderOf ({ view, sort }: WatchRequest): Pick<Watch, 'column' | 'isDescending'> {
  const [byDefault = ''] = columns[view]
  if (sort === undefined) return { column: byDefault, isDescending: true }
  const isDescending = sort.startsWith('-')
  const column = isDescending ? sort.slice(1) : sort
  if (columns[view].includes(column)) return { column, isDescending }
  const known = columns[view].length === 0 ? 'nothing' : columns[view].join(', ')
  throw invalid(`the view '${view}' can be sorted by ${known}, not by '${show(sort)}'`)
}
