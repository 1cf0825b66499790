import { readFileSync } from 'node:fs'
import t from 'tap'
import { sessionTable, transitionFor } from '../../lib/session/states.js'
import { root } from '../program.js'
import type { SessionEvent, SessionState } from '../../lib/session/states.js'

const states: SessionState[] = ['fresh', 'open', 'reopened', 'suspended']

/** The rows of the comment, and the events that they stand for. */
const events: Record<string, SessionEvent> = {
  "the client's first message": 'message',
  'the socket is lost': 'lost',
  'a valid offer arrives': 'offer',
  'the window is over': 'windowOver',
  'any other end of a connection': 'end'
}

t.test('has the transitions of the table in its comment', async (t) => {
  const source = readFileSync(`${root}/lib/session/states.ts`, 'utf8')
  const rows = source.split('\n')
    .filter((line) => line.startsWith(' * | '))
    .slice(1)
    .map((line) => line.slice(4, -1).split('|').map((cell) => cell.replace(/\(\d\)/, '').trim()))
  t.equal(rows.length, Object.keys(events).length)
  for (const [event, ...cells] of rows) {
    states.forEach((state, column) => {
      const next = transitionFor(state, events[event])?.state ?? ''
      t.equal(next, cells[column], `${state}: ${event}`)
    })
  }
})

t.test('ignores every event when it has ended', async (t) => {
  t.same(sessionTable.ended, {})
})
