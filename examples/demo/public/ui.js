// Shared by the views. Text of other people is shown with `textContent`, never as HTML.
import { explain } from './codes.js'

export const $ = (id) => document.getElementById(id)

/** An element: `el('p', { class: 'note' }, 'text or elements', …)`. */
export function el (name, attributes = {}, ...children) {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? '' : value)
    }
  }
  element.append(...children)
  return element
}

/** One of eight colours, always the same for a name. */
export function tint (name) {
  let sum = 0
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 997
  return `tint-${sum % 8}`
}

export const avatar = (name) =>
  el('span', { class: `avatar ${tint(name)}`, 'aria-hidden': 'true' }, [...name][0].toUpperCase())

const longest = 300 // lines; older ones are removed

const unread = new Map() // view -> number of unread lines

/** Puts the number of unread lines beside the link to a view, and into the title of the page. */
export function showUnread (view, count) {
  unread.set(view, count)
  const link = document.querySelector(`nav a[href="#${view}"]`)
  link.querySelector('.badge')?.remove()
  if (count > 0) {
    link.append(
      el('span', { class: 'badge' }, String(count), el('span', { class: 'unseen' }, ' new'))
    )
  }
  markTitle()
}

/** Sets a title such as `(3) Chat`. Called when the title has changed. */
export function markTitle () {
  let total = 0
  for (const count of unread.values()) total += count
  document.title = `${total > 0 ? `(${total}) ` : ''}${document.title.replace(/^\(\d+\) /, '')}`
}

/**
 * A conversation. It shows its newest line, unless the reader has scrolled up. Lines that arrive
 * while the newest one is not visible are unread: a mark is shown above the first of them.
 */
export class Log {
  #list
  #last
  #onUnread
  #unread = 0
  #isAtEnd = true
  #height = 0
  #rule = el('div', { class: 'rule' }, 'New')
  #jump = el('button', { type: 'button', class: 'jump', hidden: true })

  /** @param onUnread is called with the number of unread lines when it changes */
  constructor (list, onUnread) {
    this.#list = list
    this.#onUnread = onUnread
    this.#jump.onclick = () => this.#toEnd()
    list.after(this.#jump)
    list.addEventListener('scroll', () => {
      if (list.clientHeight === 0) return
      this.#isAtEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80
      this.#look()
    })
    // A hidden list loses its scroll position.
    new window.ResizeObserver(() => {
      const wasHidden = this.#height === 0
      this.#height = list.clientHeight
      if (this.#height > 0 && (wasHidden || this.#isAtEnd)) this.#toEnd()
    }).observe(list)
    document.addEventListener('visibilitychange', () => this.#look())
  }

  line ({ from, text, own = false, mark }) {
    if (own) this.#rule.remove()
    else this.#count()
    const goesOn = this.#last?.from === from && this.#last.own === own
    this.#last = { from, own }
    const item = el('div', { class: `line${own ? ' own' : ''}${goesOn ? ' goes-on' : ''}` },
      el('span', { class: 'who' }, own ? 'You' : from),
      el('span', { class: 'bubble' }, text, ...(mark ? [mark] : [])))
    if (!own) item.prepend(avatar(from))
    this.#add(item)
    if (own) this.#toEnd()
  }

  note (text, tone) {
    this.#last = undefined
    this.#add(el('div', { class: `note ${tone ?? ''}` }, text))
  }

  /** Adds earlier lines above all others. */
  before (lines) {
    const items = lines.map(({ from, text }) => el('div', { class: 'line earlier' },
      avatar(from), el('span', { class: 'who' }, from), el('span', { class: 'bubble' }, text)))
    this.#list.prepend(...items)
    this.#toEnd()
  }

  clear () {
    this.#last = undefined
    this.#list.replaceChildren()
    this.#isAtEnd = true
    if (this.#unread > 0) this.#tell(0)
  }

  /** Removes the conversation from the page. */
  remove () {
    this.clear()
    this.#list.remove()
    this.#jump.remove()
  }

  #add (item) {
    const list = this.#list
    list.append(item)
    while (list.children.length > longest) list.firstElementChild.remove()
    if (this.#isAtEnd) list.scrollTop = list.scrollHeight
  }

  /** Counts a line of another person, and puts the mark above the first unread one. */
  #count () {
    if (this.#isSeen()) return
    if (this.#unread === 0) {
      this.#last = undefined
      this.#add(this.#rule)
    }
    this.#tell(this.#unread + 1)
  }

  #isSeen () {
    return this.#isAtEnd && this.#list.clientHeight > 0 && document.visibilityState === 'visible'
  }

  #toEnd () {
    this.#list.scrollTop = this.#list.scrollHeight
    this.#isAtEnd = true
    this.#look()
  }

  #look () {
    if (this.#unread > 0 && this.#isSeen()) this.#tell(0)
  }

  #tell (count) {
    this.#unread = count
    this.#jump.hidden = count === 0
    this.#jump.textContent = count === 1 ? '1 new message' : `${count} new messages`
    this.#onUnread(count)
  }
}

/**
 * Shows a connection's state in the corner of a view. The countdown is only visible: a screen
 * reader announces each state once.
 */
export function showState (place, connection, who) {
  const text = el('span')
  const count = el('span', { 'aria-hidden': 'true' })
  const spoken = el('span', { class: 'unseen', role: 'status' })
  const pill = el(
    'span',
    { class: 'pill' },
    el('i', { class: 'dot', 'aria-hidden': 'true' }),
    text,
    count
  )
  const why = el('span', { class: 'why', hidden: true })
  const now = el('button', { type: 'button', class: 'link', hidden: true }, 'Now')
  now.onclick = () => connection.retry()
  place.replaceChildren(pill, now, why, spoken)
  place.hidden = false

  connection.addEventListener('state', show)
  show({ detail: { state: 'connecting' } })

  function show ({ detail: { state, code, seconds } }) {
    const said = {
      connecting: 'Connecting',
      connected: 'Connected',
      waiting: 'Reconnecting',
      closed: `Closed ${code}`
    }[state]
    place.dataset.state = state
    text.textContent = said
    count.textContent = state === 'waiting' ? ` in ${seconds} s` : ''
    now.hidden = state !== 'waiting'
    if (code !== undefined) why.textContent = `${code}: ${explain(code, who)}`
    why.hidden = state !== 'waiting' && state !== 'closed'
    const heard = why.hidden ? said : `${said}. ${why.textContent}`
    if (spoken.textContent !== heard) spoken.textContent = heard
  }
}

/** The line of a log that says how a connection ended. */
export const ending = ({ code, reason }, who) =>
  `Closed with ${code}${reason ? ` “${reason}”` : ''}: ${explain(code, who)}`

/** Sends the text of a form. The text stays in the input when it could not be sent. */
export function composer (form, send) {
  const input = form.querySelector('input')
  form.onsubmit = (event) => {
    event.preventDefault()
    const text = input.value.trim()
    if (text !== '' && send(text)) input.value = ''
    input.focus()
  }
}

/** Focuses an input, unless another one has the focus or a phone would open its keyboard. */
export function beginTyping (input) {
  const isIdle = document.activeElement === document.body || document.activeElement?.disabled
  if (isIdle && window.matchMedia('(pointer: fine)').matches) input.focus()
}

export function enable (elements, on) {
  for (const element of elements) element.disabled = !on
}

const names = [
  'Ada',
  'Grace',
  'Edsger',
  'Barbara',
  'Joe',
  'Robert',
  'Hedy',
  'Alan',
  'Radia',
  'Niklaus'
]

/** The last name of this window, or a default one. */
export function rememberName (input, key) {
  input.value = sessionStorage.getItem(key) ?? names[Math.floor(Math.random() * names.length)]
  input.addEventListener('change', () => sessionStorage.setItem(key, input.value))
}
