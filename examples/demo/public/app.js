// Shows the view that the fragment of the URL names. Hidden views keep their connections.
import * as chat from './chat.js'
import * as desk from './desk.js'
import * as network from './network.js'
import * as nodes from './nodes.js'
import * as operator from './operator.js'
import * as processes from './processes.js'
import { $ } from './dom.js'
import { markTitle } from './log.js'

const views = { chat, desk, operator, network, processes, nodes }

let beside = document.querySelector('main .view').id

function show (focus) {
  const asked = window.location.hash.slice(1)
  const name = $(asked)?.classList.contains('view') ? asked : document.querySelector('.view').id
  if ($(name).parentElement.localName === 'main') beside = name
  for (const view of document.querySelectorAll('.view')) {
    // Where there is room, the style sheet shows an aside beside the others, and both of a pair.
    const isOfPair = view.dataset.pair && view.dataset.pair === $(beside).dataset.pair
    view.hidden = view.id !== beside && !isOfPair && view.localName !== 'aside'
    view.classList.toggle('shown', view.id === name)
    view.classList.toggle('chosen', view.id === beside)
  }
  for (const link of document.querySelectorAll('nav a')) {
    const shown = [name, link.closest('.top') && $(name).dataset.pair]
    if (shown.includes(link.hash.slice(1))) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  document.body.dataset.view = name
  document.title = `${$(`${name}-title`).textContent} · Relay demo`
  markTitle()
  if (focus) $('main').focus({ preventScroll: true })
  window.scrollTo(0, 0)
}

// The server may have only the chat or only the desk. The page leaves out the other parts.
const parts = await (await fetch('parts')).json()
for (const element of document.querySelectorAll('[data-needs]')) {
  if (!parts.includes(element.dataset.needs)) element.remove()
}
for (const [name, view] of Object.entries(views)) if ($(name)) view.start()
show(false)
window.addEventListener('hashchange', () => show(true))
document.body.dataset.ready = 'yes'
