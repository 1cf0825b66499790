// The nodes of the cluster, as seen by the node of this page.
import { Connection, sameServer, servers } from './connection.js'
import { $, el } from './dom.js'
import { showState } from './state.js'

let connection

export function start () {
  connection = new Connection('nodes')
  showState($('nodes-state'), connection, 'the list')
  connection.on('nodes', show)
  connection.on('state', ({ state }) => {
    for (const button of $('nodes-list').querySelectorAll('button')) {
      button.disabled = state !== 'open'
    }
  })
}

const rows = new Map() // node -> the row
let known = []

/** Which node a connection is to. */
export const nodeOf = ({ server }) => known.find(({ address }) => sameServer(address, server))?.node

function show ({ here, nodes }) {
  known = nodes
  servers.all = nodes.map(({ address }) => address)
  $('nodes-sub').textContent = `Connected to node ${here}, which sees:`
  for (const info of nodes) {
    if (!rows.has(info.node)) rows.set(info.node, create(info))
    update(rows.get(info.node), info)
  }
}

function create ({ node }) {
  const name = el('strong')
  const facts = el('small')
  const rooms = el('small')
  const button = el('button', { type: 'button', class: 'quiet' })
  const row = el(
    'li',
    { class: 'node' },
    el('span', { class: 'letter', 'aria-hidden': 'true' }, node.toUpperCase()),
    el('div', {}, name, facts, rooms),
    button
  )
  $('nodes-list').append(row)
  return { row, name, facts, rooms, button }
}

function update (
  { row, name, facts, rooms, button }, { node, address, state, runs, process, rooms: there }
) {
  // Killed, and the other nodes have not noticed yet.
  row.dataset.state = state === 'up' && runs === false ? 'lost' : state
  const said = {
    up: 'up',
    lost: 'killed, and not yet missed',
    down: 'down',
    unknown: 'not seen yet'
  }[row.dataset.state]
  name.textContent = `Node ${node}: ${said}`
  facts.textContent = [new URL(address).host, ...(process ? [`process ${process}`] : [])].join(
    ' · '
  )
  rooms.textContent =
    row.dataset.state === 'up'
      ? there.map((room) => `#${room.name} (${room.people})`).join(' ') || 'no rooms'
      : ''
  button.hidden = runs === undefined
  button.textContent = runs ? 'Kill' : 'Start'
  button.classList.toggle('danger', runs)
  button.setAttribute('aria-label', `${button.textContent} node ${node}`)
  button.onclick = () => connection.send(runs ? 'kill' : 'start', node)
}
