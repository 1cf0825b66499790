// The card that breaks the network and counts messages. Its server is examples/demo/network.ts.
// It sends `number` (1, 2, 3 …), `had` (the last number that it has had) and `do` (a fault). It
// receives `welcome` ({ last, every }: `last` is the last number that the server has had), `number`
// (the server's numbers), `counted` (the server's counts of the page's numbers), `freezes`
// ({ frozen }) and, first of all after that time, `thaws`. Before a restart it receives `restarts`
// and `drains`.
import { Connection, page, tryNow } from './connection.js'
import { Chart, Count } from './count.js'
import { $, enable } from './dom.js'
import { seconds, showState } from './state.js'

const up = new Count()
const down = new Count()
let connection
let charts
let timer
let sockets = 0
let sessions = 1
let isKnown = false // the server has said where to go on
let trouble // { since, mark }: something was broken; over when the server has had number `mark`

const faults = {
  cut: 'The network is cut, and both ends see it. The client tries again.',
  move: 'You are on another network. The old connection is silent, and nobody has closed it.',
  freeze: 'The server is told to freeze.',
  restart: 'A new server starts. This one goes on meanwhile.'
}

export function start () {
  charts = { up: new Chart($('network-up-chart')), down: new Chart($('network-down-chart')) }
  connection = new Connection('network')
  showState($('network-state'), connection, 'the counter')
  for (const name of Object.keys(faults)) {
    $(`network-${name}`).onclick = () => {
      begin(faults[name])
      if (name === 'move') move()
      else connection.send('do', name)
    }
  }
  connection.on('state', showSession)
  connection.on('reset', () => {
    sessions++
    isKnown = false
    if (trouble !== undefined) trouble.isNewSession = true
  })
  connection.on('welcome', goOn)
  connection.on('number', hear)
  connection.on('counted', confirm)
  connection.on('freezes', ({ frozen }) => {
    begin(`The server stands still for ${frozen / 1000} s: its thread is busy.`)
  })
  connection.on('thaws', comeBack)
  connection.on('restarts', () => {
    begin(faults.restart)
    trouble.isRestart = true
  })
  connection.on('drains', () => {
    tell('The new server is ready. The old one closes its connections, one by one.', 'wait')
  })
  render()
}

/** In a new session too, each side goes on behind the last number that the other one had. */
function goOn ({ last, every }) {
  isKnown = true
  connection.send('had', down.last)
  for (let n = last + 1; n <= up.sent; n++) connection.send('number', n)
  clearInterval(timer)
  timer = setInterval(tick, every)
}

/** Sends the next number, also while the network is away: then the client keeps it. */
function tick () {
  if (isKnown && connection.send('number', up.sent + 1)) up.sent++
  render()
  charts.up.step()
  charts.down.step()
}

function hear (n) {
  down.take(n)
  down.sent = Math.max(down.sent, n)
  charts.down.add()
}

/** A browser on a new network says that it is online. This request has a connection of its own. */
async function move () {
  await fetch(`network/move?page=${page}`, { method: 'POST' })
  tell('The browser tells of another network. The client asks the server for a sign of life, and ' +
    'waits for 10 s.', 'wait')
  tryNow()
}

function confirm (counts) {
  charts.up.add(counts.received - up.received)
  Object.assign(up, { received: counts.received, doubled: counts.doubled, lost: counts.lost })
  if (trouble?.mark === undefined || trouble.mark > counts.last) return
  render() // the numbers that the text speaks of
  end()
}

/** Something is broken, from now until all messages have arrived. */
function begin (text) {
  trouble = { since: Date.now(), lost: up.lost + down.lost }
  tell(text, 'wait')
  allow()
}

/** The connection works again. What waited is on its way. */
function comeBack () {
  if (trouble === undefined || trouble.mark !== undefined) return
  trouble.mark = up.sent
  trouble.waited = up.sent - up.received
  trouble.until = Date.now()
}

function end () {
  const { since, until, waited, lost, isNewSession } = trouble
  const missing = up.lost + down.lost - lost
  trouble = undefined
  tell(`Back after ${seconds(until - since)}${isNewSession ? ', in a new session' : ''}. ` +
    `${plural(waited, 'message')} had waited, and ` +
    `${missing === 0 ? 'none was lost' : `${missing} were lost`}.`, missing === 0 ? 'good' : 'bad')
  allow()
}

function showSession ({ state }) {
  if (state === 'away' && trouble === undefined) begin('The connection is lost.')
  if (state !== 'open' && trouble?.isRestart) {
    trouble.isRestart = false
    trouble.since = Date.now() // until now, the old server has worked
    tell('This page has lost the old server, and connects to the new one.', 'wait')
  }
  if (state === 'open') {
    sockets++
    comeBack()
  }
  allow()
}

function allow () {
  const buttons = Object.keys(faults).map((name) => $(`network-${name}`))
  enable(buttons, connection.state === 'open' && trouble === undefined)
}

function tell (text, tone) {
  $('network-said').textContent = text
  $('network-said').dataset.tone = tone
}

const plural = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`

function render () {
  for (const [direction, count] of Object.entries({ up, down })) {
    for (const fact of ['sent', 'received', 'doubled', 'lost']) {
      const cell = $(`network-${direction}-${fact}`)
      cell.textContent = String(count[fact])
      if (fact === 'doubled' || fact === 'lost') cell.classList.toggle('bad', count[fact] > 0)
    }
  }
  $('network-sub').textContent = sockets === 0
    ? 'Numbered messages in both directions'
    : `${plural(sessions, 'session')}, ${plural(sockets, 'socket')} so far`
}
