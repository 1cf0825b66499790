// The view of a visitor of the help desk. Its server is examples/desk.ts.
// It sends `say` ({ n, text }): n counts the messages. It receives `with` ({ who, name, position }:
// the bot, the queue or a human), `line` ({ from, text }) and `got` ({ n, by }: who has read a
// message).
import { Connection } from './connection.js'
import { $, el, enable } from './dom.js'
import { beginTyping, composer, rememberName } from './forms.js'
import { Log, showUnread } from './log.js'
import { logState, refusal, showState } from './state.js'

const many = 20
const log = new Log($('desk-log'), (count) => showUnread('desk', count))
let connection
let lastNumber = 0
let run // the numbered messages in flight
const marks = new Map() // number -> the mark beside the message
const unread = new Map() // number -> the text, until its receiver confirms it

export function start () {
  rememberName($('desk-name'), 'desk-name')
  composer($('desk-form'), say)
  $('desk-human').onclick = () => say('Human, please')
  $('desk-many').onclick = sendMany
  $('desk-leave').onclick = leave
  $('desk-join').onsubmit = (event) => {
    event.preventDefault()
    enter($('desk-name').value.trim())
  }
}

function enter (name) {
  $('desk-join').hidden = true
  $('desk-talk').hidden = false
  $('desk-sub').textContent = `You are ${name}`
  connection = new Connection('desk', { name })
  showState($('desk-state'), connection, 'the desk')
  logState(connection, log, 'the desk')
  connection.on('invalid', (detail) => log.note(refusal(detail), 'bad'))
  enable(controls(), false)

  connection.on('state', ({ state }) => {
    if (state === 'closed') {
      enable(controls(), false)
      showWith({ who: 'nobody' })
    }
  })
  connection.on('with', (other) => {
    showWith(other)
    enable(controls(), true)
    beginTyping($('desk-text'))
  })
  connection.on('line', (line) => log.line(line))
  connection.on('got', confirm)
  // A new session: nobody has confirmed these, and the numbers show if somebody did read them.
  connection.on('reset', () => {
    for (const [n, text] of unread) connection.send('say', { n, text })
  })
}

function leave () {
  connection.close()
  clearInterval(run?.timer)
  run = undefined
  marks.clear()
  unread.clear()
  log.clear()
  $('desk-tally').hidden = true
  $('desk-talk').hidden = true
  $('desk-state').hidden = true
  $('desk-join').hidden = false
  $('desk-sub').textContent = 'A bot answers first, a human when you ask for one.'
  $('desk-name').focus()
}

/**
 * Every message has a number, which its receiver confirms. While the network is away the client
 * keeps it.
 */
function say (text) {
  const n = ++lastNumber
  if (!connection.send('say', { n, text })) return false
  const mark = el('small', { class: 'mark' }, 'sent')
  marks.set(n, mark)
  unread.set(n, text)
  log.line({ from: 'You', text, own: true, mark })
  return true
}

function confirm ({ n, by }) {
  unread.delete(n)
  const mark = marks.get(n)
  if (mark !== undefined) mark.textContent = `read by ${by}`
  if (run === undefined || n < run.first || n > run.first + many - 1) return
  const times = run.got.get(n)?.times ?? 0
  run.got.set(n, { by, times: times + 1 })
  showTally()
}

function sendMany () {
  clearInterval(run?.timer)
  let sent = 0
  const next = () => {
    sent++
    say(`Message ${sent} of ${many}`)
    if (sent === many) {
      clearInterval(run.timer)
      run.timer = undefined
    }
    showTally()
  }
  run = { first: lastNumber + 1, got: new Map(), timer: setInterval(next, 150) }
  next()
}

function showTally () {
  const last = Math.min(lastNumber, run.first + many - 1)
  const by = new Map()
  let twice = 0
  let missing = 0
  for (let n = run.first; n <= last; n++) {
    const got = run.got.get(n)
    if (got === undefined) missing++
    else by.set(got.by, (by.get(got.by) ?? 0) + 1)
    if (got?.times > 1) twice++
  }
  const read = [...by].map(([name, count]) => `${count} by ${name}`).join(', ') || 'none yet'
  $('desk-tally').textContent =
    `${last - run.first + 1} of ${many} sent. Read: ${read}. ${missing} missing, ${twice} twice.`
  $('desk-tally').hidden = false
}

function showWith ({ who, name, position }) {
  const text = {
    nobody: 'You are not connected',
    bot: 'You are talking to the bot',
    queue: `The bot is with you. You are number ${position} in the queue for a human`,
    human: `You are talking to ${name}, a human`
  }[who]
  if ($('desk-with').textContent === text) return
  $('desk-with').textContent = text
  $('desk-with').dataset.who = who
  if (who === 'human') log.note(`${name} has taken over from the bot`, 'good')
}

const controls = () => [...$('desk-form').elements, $('desk-human'), $('desk-many')]
