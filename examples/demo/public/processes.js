import { codes } from './codes.js'
import { Connection } from './connection.js'
import { $, el } from './dom.js'
import { seconds, showState } from './state.js'

const rows = new Map() // PID -> the row

export function start () {
  for (const [code, { text }] of codes) {
    const row = el('tr', {}, el('th', { scope: 'row' }, String(code)), el('td', {}, text))
    $('codes').append(row)
  }
  const connection = new Connection('processes')
  showState($('processes-state'), connection, 'the list')
  connection.on('processes', show)
}

function show ({ rows: processes, more, stats }) {
  const there = new Set(processes.map(({ pid }) => pid))
  for (const [pid, { row }] of rows) {
    if (there.has(pid)) continue
    row.remove()
    rows.delete(pid)
  }
  for (const process of processes) {
    if (!rows.has(process.pid)) rows.set(process.pid, create(process))
  }
  // The oldest first: the target of a socket is older than the socket.
  for (const process of processes.toReversed()) update(rows.get(process.pid), process)
  // The newest processes come first, in the list and on the page.
  $('processes-rows').prepend(
    ...processes.map(({ pid }) => rows.get(pid).row).filter((row) => !row.isConnected)
  )
  set($('processes-alive'), String(stats.alive))
  set($('processes-delivered'), String(stats.delivered))
  set($('processes-turn'), turn(stats.longestTurn))
  $('processes-more').textContent = `and ${more} older ones`
  $('processes-more').hidden = more === 0
}

const kinds = { ws: 'socket', supervisor: 'supervisor', process: 'process' }

function create ({ pid, kind, label }) {
  const name = el('strong')
  const more = el('span')
  const mail = el('td', { class: 'number' })
  const up = el('td', { class: 'number' })
  const row = el(
    'tr',
    { class: 'new', 'data-kind': kind },
    el(
      'th',
      { scope: 'row' },
      el('span', { class: 'kind' }, kinds[kind]),
      name,
      el('small', {}, el('span', { class: 'pid' }, pid), more)
    ),
    mail,
    up
  )
  name.textContent = label
  return { row, name, more, mail, up }
}

function update (
  { row, name, more, mail, up },
  { pid, label, names, status, mailbox, groups, target, uptime, connected, parked }
) {
  set(name, names[0] ?? (label === 'ws' ? `socket ${pid.split('@')[0]}` : label))
  const facts = []
  if (target !== undefined) {
    facts.push(`to ${rows.get(target)?.name.textContent ?? target.split('@')[0]}`)
  }
  if (groups.length > 0) facts.push(`in ${groups.join(', ')}`)
  if (status === 'exiting') facts.push('stopping')
  if (connected === false) facts.push('its client is away')
  if (parked) facts.push('parked')
  set(more, facts.map((fact) => ` · ${fact}`).join(''))
  set(mail, String(mailbox))
  set(up, duration(uptime))
  row.dataset.status = status
}

/** Writes the text only if it has changed. */
function set (element, text) {
  if (element.textContent !== text) element.textContent = text
}

const turn = (ms) => ms < 1000 ? `${ms.toFixed(1)} ms` : seconds(ms)

function duration (ms) {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  return minutes < 60 ? `${minutes} m` : `${Math.floor(minutes / 60)} h`
}
