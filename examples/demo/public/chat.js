// The view of a chat room. Its server is examples/chat.ts.
// It sends { say } and { crash }. It receives `welcome` ({ you, room, node, lines }), `line`
// ({ id, name, text }), `people` ([{ id, name }]) and `refused` ({ why }).
import { Connection } from './connection.js'
import { nodeOf } from './nodes.js'
import { $, avatar, el, enable } from './dom.js'
import { beginTyping, composer, rememberName } from './forms.js'
import { Log, showUnread } from './log.js'
import { logState, showState } from './state.js'

const log = new Log($('chat-log'), (count) => showUnread('chat', count))
let connection
let me
let unheard = [] // own lines that the room has not repeated yet

export function start () {
  rememberName($('chat-name'), 'chat-name')
  composer($('chat-form'), say)
  $('chat-crash').onclick = () => connection.send({ crash: true })
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
  connection = new Connection(`rooms/${room}`, { name })
  showState($('chat-state'), connection, 'the room')
  logState(connection, log, 'the room')
  enable(controls(), false)

  connection.on('state', ({ state }) => {
    if (state === 'closed') {
      enable(controls(), false)
      showPeople()
    }
  })
  connection.on('welcome', (welcome) => {
    me = welcome.you
    if ($('nodes')) {
      $('chat-sub').textContent =
        `You are ${name} on node ${nodeOf(connection)}; the room is on node ${welcome.node}`
    }
    for (const line of welcome.lines) show(line)
    log.note(`You are in #${welcome.room}`, 'good')
    enable(controls(), true)
    beginTyping($('chat-text'))
  })
  connection.on('line', show)
  connection.on('people', showPeople)
  connection.on('refused', ({ why }) => log.note(`Refused: ${why}`, 'bad'))
  // A new session: the last room has perhaps not heard these lines. It did hear those before.
  connection.on('reset', () => { for (const text of unheard) connection.send({ say: text }) })
}

/** Also while the network is away: the client sends it when it is back. */
function say (text) {
  if (!connection.send({ say: text })) return false
  unheard.push(text)
  setTimeout(showWaiting, 500) // usually it is back by then
  return true
}

function showWaiting () {
  const [text, ...more] = unheard
  $('chat-waits').hidden = text === undefined
  $('chat-waits').textContent = more.length === 0
    ? `“${text}” waits for the server`
    : `${unheard.length} messages wait for the server`
}

function leave () {
  connection.close()
  unheard = []
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

function show ({ id, name, text }) {
  if (name === undefined) log.note(text)
  else {
    if (id === me && text === unheard[0]) {
      unheard.shift()
      showWaiting()
    }
    log.line({ from: name, text, own: id === me })
  }
}

function showPeople (people = []) {
  $('chat-people-title').textContent =
    people.length === 0 ? 'Not connected' : `${people.length} here`
  $('chat-people').replaceChildren(
    ...people.map(({ id, name }) =>
      el(
        'li',
        { class: 'person' },
        avatar(name),
        el('span', {}, id === me ? `${name} (you)` : name)
      )
    )
  )
}

const controls = () => [...$('chat-form').elements, $('chat-crash')]

async function offerRooms () {
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
