// The view of a chat room. Its server is examples/chat.ts.
// It sends `say` ({ key, text }). It receives `welcome` ({ node, again, lines }), `line` ({ key,
// text, name }: without a name it is a note) and `people` (names).
import { Connection, randomKey } from './connection.js'
import { nodeOf } from './nodes.js'
import { $, avatar, el, enable } from './dom.js'
import { beginTyping, composer, rememberName } from './forms.js'
import { Log, showUnread } from './log.js'
import { logState, refusal, showState } from './state.js'

const log = new Log($('chat-log'), (count) => showUnread('chat', count))
let connection
let me // my name
const unheard = new Map() // key -> own line that the room has not repeated yet
const ownKeys = new Set()
const crash = { key: 'crash', text: '/crash' }

export function start () {
  rememberName($('chat-name'), 'chat-name')
  composer($('chat-form'), (text) => text === crash.text ? crashRoom() : say(text))
  $('chat-crash').onclick = crashRoom
  $('chat-leave').onclick = leave
  $('chat-join').onsubmit = (event) => {
    event.preventDefault()
    enter($('chat-room').value, $('chat-name').value.trim())
  }
  offerRooms()
}

function enter (room, name) {
  $('chat-join').hidden = true
  $('chat-talk').hidden = false
  $('chat-title').textContent = `#${room}`
  $('chat-sub').textContent = `You are ${name}`
  me = name
  let isBack = false
  connection = new Connection(`rooms/${room}`, () => ({ name, ...isBack ? { back: true } : {} }))
  showState($('chat-state'), connection, 'the room')
  logState(connection, log, 'the room')
  connection.on('invalid', (detail) => log.note(refusal(detail), 'bad'))
  enable(controls(), false)

  connection.on('state', ({ state }) => {
    if (state === 'closed') {
      enable(controls(), false)
      showPeople()
    }
  })
  connection.on('welcome', (welcome) => {
    if ($('nodes')) {
      $('chat-sub').textContent =
        `You are ${name} on node ${nodeOf(connection)}; the room is on node ${welcome.node}`
    }
    const [first] = welcome.lines
    const isComplete = first !== undefined && log.has(first.key) // no line between is unknown
    for (const line of welcome.lines) show(line)
    log.note(welcome.again
      ? 'The room has crashed and was started again. You are still connected.'
      : `You are ${isBack ? 'back ' : ''}in #${room}` +
        `${isBack && isComplete ? ': nothing was missed' : ''}`, 'good')
    isBack = true
    // The room before this one has perhaps not heard these lines. A line is never shown twice.
    for (const [key, text] of unheard) connection.send('say', { key, text })
    enable(controls(), true)
    beginTyping($('chat-text'))
  })
  connection.on('line', show)
  connection.on('people', showPeople)
}

/** Only once: the next room must not crash as well. */
function crashRoom () {
  const isSent = connection.send('say', crash)
  if (isSent) log.note('You crashed the room')
  return isSent
}

/** Also while the network is away: the client sends it when it is back. */
function say (text) {
  const key = randomKey()
  if (!connection.send('say', { key, text })) return false
  unheard.set(key, text)
  ownKeys.add(key)
  setTimeout(showWaiting, 500) // usually it is back by then
  return true
}

function showWaiting () {
  const [text] = unheard.values()
  $('chat-waits').hidden = text === undefined
  $('chat-waits').textContent = unheard.size === 1
    ? `“${text}” waits for the server`
    : `${unheard.size} messages wait for the server`
}

function leave () {
  connection.close()
  unheard.clear()
  ownKeys.clear()
  showWaiting()
  log.clear()
  showPeople()
  $('chat-talk').hidden = true
  $('chat-state').hidden = true
  $('chat-join').hidden = false
  $('chat-title').textContent = 'Chat rooms'
  $('chat-sub').textContent = 'Each room is a process of its own.'
  $('chat-room').focus()
  offerRooms()
}

function show ({ key, name, text }) {
  if (log.has(key)) return // from before the connection was lost
  if (name === undefined) log.note(text, '', key)
  else log.line({ from: name, text, own: ownKeys.has(key), key })
  if (unheard.delete(key)) showWaiting()
}

function showPeople (people = []) {
  $('chat-people-title').textContent =
    people.length === 0 ? 'Not connected' : `${people.length} here`
  $('chat-people').replaceChildren(
    ...people.map((name, index) =>
      el(
        'li',
        { class: 'person' },
        avatar(name),
        // Another one of the same name looks the same.
        el('span', {}, index === people.indexOf(me) ? `${name} (you)` : name)
      )
    )
  )
}

const controls = () => [...$('chat-form').elements, $('chat-crash')]

async function offerRooms () {
  if (!$('chat-rooms')) return // the server has no list
  const open = await fetch('rooms')
    .then((response) => response.json())
    .catch(() => []) // this server may be gone
  const counts = new Map([
    ['lobby', 0],
    ['tea-kitchen', 0],
    ['library', 0]
  ])
  for (const { name, people } of open.slice(0, 12)) counts.set(name, people)
  $('chat-rooms').replaceChildren(
    ...[...counts].map(([room, people]) => {
      const chip = el(
        'button',
        { type: 'button', class: 'chip' },
        `#${room}`,
        el('small', {}, people === 0 ? 'empty' : `${people} here`)
      )
      chip.onclick = () => {
        $('chat-room').value = room
      }
      return chip
    })
  )
}
