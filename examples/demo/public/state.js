// The state of a connection, as words for the user.
import { explain } from './codes.js'
import { el } from './dom.js'

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
