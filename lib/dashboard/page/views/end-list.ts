// Ends of processes and connections, with their reasons, effects and restarts.
import { html, nothing, type TemplateResult } from 'lit-html'
import type { EndRow, EndSummary } from '../../frames.js'
import { ago, clockTime, milliseconds, plural } from '../format.js'
import { hashOf } from '../routes.js'
import { causePill, pill, processLink } from '../ui.js'
import { causeOf } from '../words.js'

/** The subject of an end. Many connections with one cause are one row. */
function subject (end: EndRow, node: string): TemplateResult {
  if (end.kind === 'ws' && end.count > 1) {
    const title = plural(end.count, 'connection')
    return processLink({ pid: end.pid, name: title }, node)
  }
  return processLink(end, node)
}

/** `at room (file:///srv/app/room.js:12:3)` as `at room (room.js:12:3)`. */
function withoutFolders (frame: string): string {
  return frame.replace(/[^\s(]*[\\/]/, '')
}

/** Why, in one line: the error, or the cause in words. */
export function why (end: EndSummary): TemplateResult {
  const { error, cause, reason, code, closeReason } = end
  if (error !== undefined) {
    const { name, message, frame } = error
    return html`<code>${name}: ${message}</code>${frame === undefined
      ? nothing
      : html` <span class="sub" title=${frame}>${withoutFolders(frame)}</span>`}`
  }
  const words = causeOf(cause).long
  const exact = code === undefined
    ? reason
    : `${code}${closeReason === undefined || closeReason === '' ? '' : ` ${closeReason}`}`
  return html`${words[0].toUpperCase() + words.slice(1)} <span class="sub">(${exact})</span>`
}

/** The processes that come before and after an end. */
export function after (
  end: EndSummary & { readonly together?: number }, node: string
): TemplateResult {
  const { because, by, restartedAs, restartedAfter, together = 0 } = end
  const reference = (words: string, other: string) => html`<span>${words} ${
    processLink({ pid: other }, node, 'pid')}</span>`
  return html`
    ${restartedAs === undefined
      ? nothing
      : html`<span class="back">Restarted${
        restartedAfter === undefined ? nothing : ` after ${milliseconds(restartedAfter)}`
      } as ${processLink({ pid: restartedAs }, node, 'pid')}</span>`}
    ${together === 0
      ? nothing
      : html`<span>${plural(together, 'other')} ended with it</span>`}
    ${because === undefined ? nothing : reference('Because of', because)}
    ${by === undefined ? nothing : reference('Asked for by', by)}`
}

export interface EndListOptions {
  /** Marks ends that the page has not shown before. */
  isFresh? (end: EndRow): boolean
  /** Leaves out the age and the PID. */
  readonly isShort?: boolean
}

/** A list of ends, each with its cause in words. */
export function endList (
  ends: readonly EndRow[], node: string, { isFresh, isShort = false }: EndListOptions
): TemplateResult {
  return html`<ul class="ends ${isShort ? 'short' : ''}">${ends.map((end) => html`<li
    class="${causeOf(end.cause).tone} ${isFresh?.(end) === true ? 'fresh' : ''}">
    <p class="head">${subject(end, node)} ${causePill(end.cause)}
      ${end.kind === 'supervisor' ? pill('supervisor') : nothing}
      ${end.closing === true ? pill('node was closing') : nothing}</p>
    <p class="why">${why(end)}</p>
    <time class="when" datetime=${new Date(end.at).toISOString()}
      title=${clockTime(end.at)}>${ago(end.ago)}</time>
    <p class="after">${after(end, node)}${isShort
      ? nothing
      : html`<span>lived ${milliseconds(end.uptime)}</span><span class="pid">${end.pid}</span>`}
      <a href=${hashOf('process', end.pid, { node })}>Explain</a></p>
  </li>`)}</ul>`
}
