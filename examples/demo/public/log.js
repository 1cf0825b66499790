// Conversations, and the number of unread lines of each view.
import { avatar, el } from './dom.js'

const unread = new Map() // view -> number of unread lines

/** Puts the number of unread lines beside the links to a view, and into the title of the page. */
export function showUnread (view, count) {
  unread.set(view, count)
  for (const link of document.querySelectorAll('nav a')) {
    const views = link.closest('.top') && link.hash === '#desk'
      ? ['desk', 'operator'] // one link for both sides
      : [link.hash.slice(1)]
    if (views.includes(view)) showBadge(link, views.reduce((sum, id) => sum + of(id), 0))
  }
  markTitle()
}

const of = (view) => unread.get(view) ?? 0

function showBadge (link, count) {
  link.querySelector('.badge')?.remove()
  if (count > 0) {
    link.append(
      el('span', { class: 'badge' }, String(count), el('span', { class: 'unseen' }, ' new'))
    )
  }
}

/** Sets a title such as `(3) Chat`. Called when the title has changed. */
export function markTitle () {
  let total = 0
  for (const count of unread.values()) total += count
  document.title = `${total > 0 ? `(${total}) ` : ''}${document.title.replace(/^\(\d+\) /, '')}`
}

const longest = 300 // lines; older ones are removed

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

  /** @param key tells the line from others: see `has` */
  line ({ from, text, own = false, mark, key }) {
    if (own) this.#rule.remove()
    else this.#count()
    const goesOn = this.#last?.from === from && this.#last.own === own
    this.#last = { from, own }
    const style = `line${own ? ' own' : ''}${goesOn ? ' goes-on' : ''}`
    const item = el('div', { class: style, 'data-key': key },
      el('span', { class: 'who' }, own ? 'You' : from),
      el('span', { class: 'bubble' }, text, ...(mark ? [mark] : [])))
    if (!own) item.prepend(avatar(from))
    this.#add(item)
    if (own) this.#toEnd()
  }

  note (text, tone, key) {
    this.#last = undefined
    this.#add(el('div', { class: `note ${tone ?? ''}`, 'data-key': key }, text))
  }

  /** Whether it shows the line or the note with this key. */
  has (key) {
    return Array.from(this.#list.children).some(({ dataset }) => dataset.key === key)
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
