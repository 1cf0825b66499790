// The number of unread lines of each view, beside its link and in the title of the page.
import { el } from './dom.js'

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
