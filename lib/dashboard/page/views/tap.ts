// The messages that one process or connection receives, takes and sends, live.
import { html, nothing, type TemplateResult } from 'lit-html'
import { repeat } from 'lit-html/directives/repeat.js'
import type { Reference, TraceAnswer, TraceRow } from '../../frames.js'
import { bytes, clockTime, milliseconds, plural } from '../format.js'
import { empty, heading, processLink, type Content } from '../ui.js'
import { linkTo, type Context } from './context.js'
import { nameOf } from './process.js'

/** Lines that the page keeps. */
const maxLines = 300

interface Line {
  readonly key: number
  readonly event: TraceRow
}

/** The newest events of one trace. */
export class Tap {
  pid = ''
  lines: Line[] = []
  total = 0
  dropped = 0
  ended = false
  /** Whether the server has begun: an event from now on is shown. */
  hasBegun = false
  isHeld = false

  begin (pid: string): void {
    if (pid === this.pid) return
    Object.assign(this, new Tap(), { pid })
  }

  add ({ events, dropped, ended }: TraceAnswer): void {
    this.hasBegun = true
    this.dropped += dropped
    this.ended ||= ended
    if (this.isHeld) return
    for (const event of events) this.lines.unshift({ key: ++this.total, event })
    this.lines.length = Math.min(this.lines.length, maxLines)
  }
}

/** The kind of an event as a class, a word, and its details. */
function words (event: TraceRow, node: string): [string, string, Content] {
  const { type, topic, from, to, waited, accepted, bytes: size = 0, binary, reason, error } = event
  const other = (reference: Reference | undefined) => {
    if (reference === undefined) return 'code outside a process'
    if (reference.label === undefined) return processLink(reference, node, 'pid')
    return html`${processLink(reference, node, '')} <span class="pid">${reference.pid}</span>`
  }
  const name = html`<b>${topic}</b>`
  switch (type) {
    case 'received': return ['in', type, html`${name} from ${other(from)}`]
    case 'refused': return ['no', type, html`${name} from ${other(from)}`]
    case 'taken': return ['', type, waited === undefined
      ? name
      : html`${name} after ${milliseconds(waited)}`]
    case 'sent': return accepted === false
      ? ['no', type, html`${name} to ${other(to)}, refused`]
      : ['out', type, html`${name} to ${other(to)}`]
    case 'client': return ['in', type, `${binary === true ? 'binary' : 'text'}, ${bytes(size)}`]
    case 'ended': return ['no', type, error === undefined
      ? reason
      : html`<code>${error.name}: ${error.message}</code>`]
    default: return ['', type, topic ?? '']
  }
}

function lineOf ({ event }: Line, node: string): TemplateResult {
  const [className, word, details] = words(event, node)
  return html`<li><time datetime=${new Date(event.at).toISOString()}>${clockTime(event.at)}.${
    String(Math.floor(event.at % 1000)).padStart(3, '0')}</time>
    <span class=${className}>${word}</span><span>${details}</span></li>`
}

export function tapView (
  context: Context<'process'>, tap: Tap, hold: () => void
): TemplateResult {
  const { info } = context.answer
  const title = info === undefined ? tap.pid : nameOf(info)
  return html`<nav aria-label="Process"><ol class="crumbs"><li><a
      href=${linkTo(context, 'process', tap.pid)}>${title}</a></li><li>messages</li></ol></nav>
    ${heading('Messages', html`${title} <span class="pid">${tap.pid}</span>`, html`
      <button type="button" aria-pressed=${String(tap.isHeld)} @click=${hold}
        >${tap.isHeld ? 'Go on' : 'Hold'}</button>`)}
    <section class="card" aria-label="Messages">
      <p class="pad sub">Newest first, without payloads. ${plural(tap.total, 'event')} so far${
        tap.dropped === 0 ? '' : `, ${tap.dropped} left out`}.${
        tap.ended ? html` <strong>It has ended.</strong>` : nothing}</p>
      ${tap.lines.length === 0
        ? tap.hasBegun
          ? empty('Nothing yet', 'A message appears when it arrives or is sent.')
          : empty('Waiting for the server')
        : html`<ol class="tap" tabindex="0" aria-label="Events, newest first">${
          repeat(tap.lines, ({ key }) => key, (line) => lineOf(line, context.node))}</ol>`}
    </section>`
}
