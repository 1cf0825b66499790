// The view of an operator of the help desk. Its server is examples/desk.ts.
// It sends `take` for the next visitor, `say` ({ visitor, text }), and `back` (the visitor) to hand
// one back to the bot. It receives `waiting` (a number), `visitor` ({ visitor, name }), `file`
// ({ visitor, lines }: the earlier lines), `line` ({ visitor, from, text }) and `gone` ({ visitor,
// why }).
import { Connection } from './connection.js'
import { $, avatar, el, enable } from './dom.js'
import { beginTyping, composer, rememberName } from './forms.js'
import { Log, showUnread } from './log.js'
import { ending, refusal, showState } from './state.js'

let connection
let visitors = new Map() // id -> { name, list, log, chip, here, unread }
let current

export function start () {
  rememberName($('operator-name'), 'operator-name')
  composer($('operator-form'), (text) => connection.send('say', { visitor: current, text }))
  $('operator-take').onclick = () => connection.send('take')
  $('operator-back').onclick = () => connection.send('back', current)
  $('operator-leave').onclick = leave
  $('operator-join').onsubmit = (event) => {
    event.preventDefault()
    enter($('operator-name').value.trim())
  }
}

function enter (name) {
  $('operator-join').hidden = true
  $('operator-talk').hidden = false
  $('operator-sub').textContent = `You are ${name}, on duty`
  connection = new Connection('desk/operator', { name })
  showState($('operator-state'), connection, 'your session')
  clear()

  connection.on('state', (detail) => {
    if (detail.state === 'closed') endAll(ending(detail, 'your session'))
  })
  connection.on('reset', () => endAll('The desk has started again'))
  connection.on('waiting', showQueue)
  connection.on('visitor', ({ visitor, name }) => add(visitor, name))
  connection.on('file', ({ visitor, lines }) => visitors.get(visitor)?.log.before(lines))
  connection.on('line', ({ visitor, from, text }) => {
    const { log, name } = visitors.get(visitor)
    log.line({ from, text, own: from !== name })
  })
  connection.on('gone', ({ visitor, why }) => gone(visitor, `${visitors.get(visitor).name} ${why}`))
  connection.on('invalid', (detail) => visitors.get(current)?.log.note(refusal(detail), 'bad'))
}

/** The process of this operator is gone, and its visitors have been given back to the bot. */
function endAll (why) {
  for (const [id, { here }] of visitors) if (here) gone(id, why)
  showQueue(0)
}

function leave () {
  connection.close()
  clear()
  $('operator-talk').hidden = true
  $('operator-state').hidden = true
  $('operator-join').hidden = false
  $('operator-sub').textContent = 'You are the human whom visitors ask for.'
  $('operator-name').focus()
}

function add (id, name) {
  const list = el('div', {
    class: 'log',
    role: 'log',
    'aria-live': 'polite',
    'aria-label': `Conversation with ${name}`,
    tabindex: '0'
  })
  const chip = el('button', { type: 'button', class: 'chip' }, avatar(name), name)
  chip.onclick = () => choose(id)
  $('operator-logs').append(list)
  $('operator-visitors').append(chip)
  const log = new Log(list, (count) => {
    visitor.unread = count
    chip.classList.toggle('unread', count > 0)
    countUnread()
  })
  const visitor = { name, list, log, chip, here: true, unread: 0 }
  // The numbers start again after a reconnect, so conversations that have ended are removed.
  visitors.get(id)?.log.remove()
  visitors.get(id)?.chip.remove()
  visitors.set(id, visitor)
  log.note(`${name} is with you now`, 'good')
  choose(id)
  beginTyping($('operator-text'))
}

function choose (id) {
  current = id
  for (const [other, { list, chip }] of visitors) {
    list.hidden = other !== id
    chip.setAttribute('aria-pressed', String(other === id))
  }
  enable(controls(), visitors.get(id).here)
}

function countUnread () {
  let total = 0
  for (const { unread } of visitors.values()) total += unread
  showUnread('operator', total)
}

function gone (id, text) {
  const visitor = visitors.get(id)
  visitor.here = false
  visitor.log.note(text)
  visitor.chip.classList.add('over')
  if (id === current) enable(controls(), false)
}

function showQueue (waiting) {
  $('operator-queue').textContent =
    waiting === 0 ? 'Nobody is waiting' : `${waiting} waiting for a human`
  $('operator-queue').dataset.some = String(waiting > 0)
  $('operator-take').disabled = waiting === 0
}

function clear () {
  for (const { log } of visitors.values()) log.remove()
  visitors = new Map()
  current = undefined
  $('operator-visitors').replaceChildren()
  $('operator-logs').replaceChildren(
    el('p', { class: 'empty' }, 'Visitors whom you take appear here.')
  )
  enable(controls(), false)
  showQueue(0)
}

const controls = () => [...$('operator-form').elements, $('operator-back')]
