// Small parts of all views. Text of the server is a child of a template, never markup.
import { html, nothing, svg, type TemplateResult } from 'lit-html'
import { hashOf } from './routes.js'
import { causeOf, type Tone } from './words.js'

export type Content = TemplateResult | string | number | typeof nothing | undefined | Content[]

/** A process as the server refers to it: its PID, and the best words for it, if they are known. */
export interface Named {
  readonly pid: string
  readonly label?: string
  readonly name?: string
}

const labels = new Map([['ws', 'connection'], ['', 'anonymous']])

/** The name, else the label, else the PID. The label of a function without a name is empty. */
export function titleOf ({ pid, label, name }: Named): string {
  return name ?? (label === undefined ? pid : labels.get(label) ?? label)
}

export function pill (text: string, tone: Tone = ''): TemplateResult {
  return html`<span class="pill ${tone}">${text}</span>`
}

export function causePill (cause: string): TemplateResult {
  const { short, long, tone } = causeOf(cause)
  return html`<span class="pill ${tone}" title=${long}>${short}</span>`
}

/** A link to one process: its name or label. */
export function processLink (process: Named, node = '', className = 'name'): TemplateResult {
  return html`<a class=${className} href=${hashOf('process', process.pid, { node })}
    >${titleOf(process)}</a>`
}

/** A link with name and PID, for lists of links and monitors. */
export function processChip (process: Named, node = ''): TemplateResult {
  const title = titleOf(process)
  return html`<a class="chip" href=${hashOf('process', process.pid, { node })}>${title}${
    title === process.pid ? nothing : html` <span class="pid">${process.pid}</span>`}</a>`
}

/** The words of a view without rows. */
export function empty (title: string, text: Content = ''): TemplateResult {
  return html`<div class="empty"><strong>${title}</strong><span>${text}</span></div>`
}

/** The heading of a view, and beside it its tools. */
export function heading (title: Content, sub: Content = nothing, tools: Content = nothing) {
  return html`<header class="title">
    <div><h1>${title}</h1>${sub === nothing ? nothing : html`<p class="sub">${sub}</p>`}</div>
    ${tools === nothing ? nothing : html`<div class="tools">${tools}</div>`}
  </header>`
}

/** Buttons of which one is pressed. */
export function choice (
  label: string, options: ReadonlyArray<readonly [value: string, text: string]>, chosen: string,
  choose: (value: string) => void
): TemplateResult {
  return html`<div class="choice" role="group" aria-label=${label}>${options.map(([value, text]) =>
    html`<button type="button" aria-pressed=${String(value === chosen)}
      @click=${() => { choose(value) }}>${text}</button>`)}</div>`
}

/** A field that filters rows while somebody types. */
export function search (
  label: string, value: string, change: (value: string) => void
): TemplateResult {
  return html`<input type="search" aria-label=${label} placeholder=${label} .value=${value}
    autocomplete="off" autocapitalize="none" spellcheck="false" maxlength="100"
    @input=${(event: InputEvent) => { change((event.target as HTMLInputElement).value) }}>`
}

/** The two numbers of a bar: a part of a whole. It is text for a screen reader. */
export function bar (part: number, whole: number, text: string, isLow: boolean): TemplateResult {
  const width = whole > 0 ? Math.max(0, Math.min(100, part / whole * 100)) : 0
  return html`<span class="bar ${isLow ? 'low' : ''}" role="img" aria-label=${text}>
    <svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">
      <rect width=${width} height="1"></rect></svg></span>`
}

export const logo = svg`<svg viewBox="0 0 32 32" aria-hidden="true">
  <rect width="32" height="32" rx="8" fill="#0f6b5c"></rect>
  <path d="M16 10v6M16 16l-7 6M16 16l7 6" fill="none" stroke="#bfe8dd" stroke-width="2"
    stroke-linecap="round"></path>
  <circle cx="16" cy="9" r="3.5" fill="#fff"></circle>
  <circle cx="8.5" cy="22.5" r="3" fill="#fff"></circle>
  <circle cx="23.5" cy="22.5" r="3" fill="#8fd9c8"></circle></svg>`

export const tick = svg`<svg viewBox="0 0 20 20" aria-hidden="true" fill="none"
  stroke="currentColor" stroke-width="2" stroke-linecap="round" stroke-linejoin="round">
  <circle cx="10" cy="10" r="8.5" stroke-opacity=".35"></circle>
  <path d="m6.5 10.5 2.5 2.5 4.5-5.5"></path></svg>`
