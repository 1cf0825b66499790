// The state of a connection, as words for the user.
import { explain } from './codes.js'
import { servers, tryNow } from './connection.js'
import { el } from './dom.js'

const words = { connecting: 'Connecting', open: 'Connected', away: 'Reconnecting' }

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
  now.onclick = tryNow
  place.replaceChildren(pill, now, why, spoken)
  place.hidden = false

  let timer
  connection.on('state', show)
  show({ state: 'connecting' })

  function show ({ state, code, wait }) {
    clearInterval(timer)
    const said = words[state] ?? `Closed ${code}`
    place.dataset.state = state
    text.textContent = said
    count.textContent = ''
    now.hidden = state !== 'away'
    if (code !== undefined) why.textContent = `${code}: ${explain(code, who)}`
    why.hidden = state !== 'away' && state !== 'closed'
    const heard = why.hidden ? said : `${said}. ${why.textContent}`
    if (spoken.textContent !== heard) spoken.textContent = heard
    if (state === 'away') countDown(Date.now() + wait)
  }

  function countDown (until) {
    const tick = () => {
      count.textContent = ` in ${Math.max(1, Math.ceil((until - Date.now()) / 1000))} s`
    }
    timer = setInterval(tick, 250)
    tick()
  }
}

/** The line of a log that says how a connection ended. */
export const ending = ({ code, reason }, who) =>
  `Closed with ${code}${reason ? ` “${reason}”` : ''}: ${explain(code, who)}`

/** Writes into a log when a connection is lost, and when the same session has come back. */
export function logState (connection, log, who) {
  let lostAt // undefined: it is not lost
  connection.on('state', (detail) => {
    const { state, code, resumed } = detail
    if (state === 'closed') log.note(ending(detail, who), 'bad')
    if (state === 'away' && lostAt === undefined) {
      lostAt = Date.now()
      if (code === 1006) log.note('The connection was lost')
      else log.note(ending(detail, who), 'bad')
    }
    if (state !== 'open') return
    if (resumed && lostAt !== undefined) {
      log.note(`Back after ${seconds(Date.now() - lostAt)}: nothing was missed`, 'good')
    }
    lostAt = undefined
  })
  connection.on('reset', ({ why }) => {
    if (why !== 'node') return
    log.note(servers.all.length > 1 ? 'You are on another server now' : 'The server was restarted')
  })
}

/** The line of a log about a message that the server has dropped, because it is not valid. */
export const refusal = ({ topic, path }) =>
  `Refused: “${topic ?? 'a message'}” with an invalid ${path.slice(1) || 'text'}`

export const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`
