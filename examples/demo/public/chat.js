// The view of a chat room. Its server is examples/chat.ts.
// It sends { say } and { crash }. It receives `welcome` ({ you, room, node, lines }), `line`
// ({ id, name, text }), `people` ([{ id, name }]) and `refused` ({ why }).
import { Connection } from './connection.js'
import { nodeOf } from './nodes.js'
import { $, avatar, el, enable } from './dom.js'
import { beginTyping, composer, rememberName } from './forms.js'
import { Log, showUnread } from './log.js'
import { ending, showState } from './state.js'

const log = new Log($('chat-log'), (count) => showUnread('chat', count))
let connection
let me

export function start () {
  rememberName($('chat-name'), 'chat-name')
  composer($('chat-form'), (say) => connection.send({ say }))
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
  connection = new Connection(`rooms/${room}?${new URLSearchParams({ name })}`)
  showState($('chat-state'), connection, 'the room')
  enable(controls(), false)

  connection.addEventListener('state', ({ detail }) => {
    enable(controls(), detail.state === 'connected')
    if (detail.state === 'connected') beginTyping($('chat-text'))
    if (detail.state !== 'closed') return
    showPeople()
    log.note(ending(detail, 'the room'), 'bad')
  })
  connection.addEventListener('welcome', ({ detail }) => {
    me = detail.you
    if ($('nodes')) {
      $('chat-sub').textContent =
        `You are ${name} on node ${nodeOf(connection)}; the room is on node ${detail.node}`
    }
    for (const line of detail.lines) show(line)
    log.note(`You are in #${detail.room}`, 'good')
  })
  connection.addEventListener('line', ({ detail }) => show(detail))
  connection.addEventListener('people', ({ detail }) => showPeople(detail))
  connection.addEventListener('refused', ({ detail }) => log.note(`Refused: ${detail.why}`, 'bad'))
}

function leave () {
  connection.close()
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
  else log.line({ from: name, text, own: id === me })
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
