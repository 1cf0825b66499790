// Explanations as English sentences. Texts of users (reasons, names, messages of errors) are
// shortened, and stay on one line.
import type { End, EndError } from '../../../types/explain.js'
import type { ProcessInfo } from '../../../types/info.js'
import type { Pid } from '../../../types/pid.js'

const longestQuote = 200

/** Ends that one end has led to. */
export interface Together {
  readonly connections: number
  readonly processes: number
}

/** Why the cause of the last end is not known. */
type Missing = 'forgotten' | 'unreachable' | undefined

export function aliveText (info: ProcessInfo): string {
  const name = info.names.length === 0 ? undefined : info.names[0]
  return `${subject({ ...info, name })} is alive, since ${duration(info.uptime)}`
}

export function forgottenText (pid: Pid): string {
  return `${pid} has ended, but its end is not remembered any more: see the option \`keepEnds\``
}

export function unreachableText (pid: Pid): string {
  return `the node of ${pid} did not answer, or is not there any more`
}

/** @param chain with at least one end */
export function endedText (
  chain: readonly End[], { missing, ...together }: Together & { readonly missing?: Missing }
): string {
  const [first, ...causes] = chain
  const ends = [
    `${subject(first)} ${verb(first, ` ${duration(first.ago)} ago`)}`,
    ...causes.map((end) => `${subject(end)} ${verb(end, '')}`),
    ...unknownCause(chain.at(-1)!, missing)
  ]
  const details = [...chain.flatMap(restartText), ...togetherText(together)]
  return [ends.join(', because '), ...details].join('; ')
}

/** The end that is no part of the chain, because another node knows it, or it is forgotten. */
function unknownCause (
  { because, reason, code, closeReason }: End, missing: Missing
): string[] {
  if (because === undefined) return []
  if (reason === 'noconnection' || closeReason === 'target node lost') {
    return [`the node of ${because} could not be reached`]
  }
  if (code === 1012) return [`the node of ${because} was closing`]
  if (reason === 'noproc') return [`${oneLine(because)} was not alive`]
  if (missing === 'forgotten') return [`${because} ended, which is not remembered any more`]
  if (missing === 'unreachable') return [`${because} ended, whose node did not answer`]
  return [`${because} ended`]
}

function subject (
  { pid, kind, label, name }: Pick<End, 'pid' | 'kind' | 'label' | 'name'>
): string {
  if (kind === 'ws') return `connection ${pid}`
  const title = name ?? label
  return title === '' ? `${kind} ${pid}` : `${kind} ${quote(title)} (${pid})`
}

/** @param when is inserted after the verb */
function verb (end: End, when: string): string {
  const { kind, cause, by, closing } = end
  const agent = by === undefined ? '' : ` by ${by}`
  const text = kind === 'ws' ? connectionVerb(end, agent, when) : processVerb(end, agent, when)
  const isOwn = cause === 'client' || cause === 'failed'
  return closing === true && !isOwn ? `${text} while its node was closing` : text
}

function connectionVerb (
  { cause, reason, code, closeReason }: End, agent: string, when: string
): string {
  const codeText = code === undefined ? '' : ` with ${code}`
  const closed = `was closed${codeText}${closeReason ? ` ${quote(closeReason)}` : ''}`
  switch (cause) {
    case 'client': return `was closed by its client${codeText}${when}`
    case 'lost': return `lost its socket${when}`
    case 'ping_timeout': return `was cut off${when} because its client did not answer a ping`
    case 'slow': return `${closed}${when} because ${slowness(closeReason)}`
    case 'protocol': return `${closed}${when} because its client broke the protocol or a limit`
    case 'killed': return `was killed${agent}${when}`
    case 'exit': return `${closed}, with the reason ${quote(reason)}${agent}${when}`
    default: return `${closed}${agent}${when}`
  }
}

function slowness (closeReason: string | undefined): string {
  return closeReason === 'messages missed'
    ? 'messages of another node did not reach it'
    : 'its client read too slowly'
}

function processVerb ({ cause, reason, error }: End, agent: string, when: string): string {
  const details = error === undefined ? '' : errorText(error)
  switch (cause) {
    case 'returned': return `ended${when} because its body returned`
    case 'failed': return `failed${when}${details}`
    case 'stopped': return `stopped itself with the reason ${quote(reason)}${when}`
    case 'cancel': return `was cancelled${agent}${when}${details}`
    case 'killed': return `was killed${agent}${when}`
    case 'link': return `ended with a linked process${when}`
    case 'supervisor': return `was stopped by its supervisor${when}${details}`
    case 'sibling': return `was stopped${when} to be restarted with another child${details}`
    case 'gave_up': return `gave up${when} after too many restarts`
    default: return `was ended with the reason ${quote(reason)}${agent}${when}`
  }
}

function errorText ({ name, message, frames }: EndError): string {
  const [, place] = /([^/\\()\s]+:\d+):\d+\)?$/.exec(frames[0] ?? '') ?? []
  const text = oneLine([name, message].filter((part) => part !== '').join(': '))
  if (text === '') return ''
  return `: ${text}${place === undefined ? '' : ` (${place})`}`
}

function restartText (end: End): string[] {
  const { restartedAs, restartedAfter } = end
  if (restartedAs === undefined) return []
  return [`${subject(end)} was restarted as ${restartedAs} after ${duration(restartedAfter!)}`]
}

function togetherText ({ connections, processes }: Together): string[] {
  if (connections + processes < 2) return []
  const counts = [
    ...count(connections, 'connection', 'connections'), ...count(processes, 'process', 'processes')
  ]
  return [`${counts.join(' and ')} ended with it`]
}

function count (times: number, one: string, many: string): string[] {
  return times === 0 ? [] : [`${times} ${times === 1 ? one : many}`]
}

function duration (ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)} s`
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`
  return `${(ms / 3_600_000).toFixed(1)} h`
}

function quote (text: string): string {
  return `\`${oneLine(text)}\``
}

/** Line breaks, other control characters and invisible marks become spaces. */
function oneLine (text: string): string {
  const line = text.slice(0, 2 * longestQuote).replace(/[\p{C}\p{Zl}\p{Zp}\s]+/gu, ' ').trim()
  return line.length <= longestQuote ? line : `${line.slice(0, longestQuote)}…`
}
