// Walks the table of `lib/client/transitions.ts`: each event in each state.
import t from 'tap'
import { transitions, type Event, type State } from '../../lib/client/transitions.js'
import { openLab, type Lab } from './fixtures/world.js'

/** Brings a client into each state. */
const reach: Record<State, () => Promise<Lab>> = {
  connecting: async () => {
    const lab = await reach.away()
    await lab.retry()
    return lab
  },
  open: async () => await openLab(),
  moving: async () => {
    const lab = await openLab()
    lab.socket.message('\0r{"after":1000,"by":5000}')
    return lab
  },
  away: async () => {
    const lab = await openLab()
    lab.socket.end()
    return lab
  },
  closed: async () => {
    const lab = await openLab()
    lab.client.close()
    return lab
  }
}

/** Makes each event happen, where the state has something that can cause it. */
const cause: Record<Event, (lab: Lab, state: State) => Promise<void>> = {
  greeted: async (lab, state) => {
    if (state === 'moving') await lab.world.pass(1000)
    if (state !== 'closed' && state !== 'away') lab.socket.open().hello({ resumed: true })
  },
  failed: async (lab, state) => {
    if (state === 'moving') await lab.world.pass(1000)
    lab.socket.end(state === 'open' ? 1001 : 1006)
  },
  lost: async (lab, state) => { lab.world.sockets[state === 'connecting' ? 1 : 0].end(1012) },
  ended: async (lab) => { lab.client.close() },
  advised: async (lab) => { lab.socket.message('\0r{"after":0,"by":1}') },
  due: async (lab) => { await lab.world.pass(1000) },
  woken: async (lab) => { lab.world.dispatchEvent(new Event('online')) }
}

const states = Object.keys(transitions) as State[]

for (const state of states) {
  t.test(`goes on from ${state} as the table says`, async (t) => {
    for (const event of Object.keys(cause) as Event[]) {
      const row = transitions[state][event]
      if (row === undefined) continue
      const lab = await reach[state]()
      t.equal(lab.client.state, state === 'moving' ? 'open' : state)
      await cause[event](lab, state)
      const [next] = row
      t.equal(lab.client.state, next === 'moving' ? 'open' : next, event)
      lab.client.close()
      t.equal(lab.world.pending, 0, 'no timer is left')
      t.equal(lab.world.listeners, 0, 'no listener is left')
    }
  })
}

t.test('ignores events that are not in the row of their state', async (t) => {
  const connecting = await reach.connecting()
  const { length } = connecting.world.sockets
  connecting.world.dispatchEvent(new Event('online'))
  t.equal(connecting.world.sockets.length, length, 'the try goes on')
  const closed = await reach.closed()
  closed.world.dispatchEvent(new Event('online'))
  closed.client.close(4000)
  t.equal(closed.states.filter(({ state }) => state === 'closed').length, 1)
  const moving = await reach.moving()
  moving.socket.message('\0r{"after":9000,"by":1}')
  await moving.world.pass(10)
  t.equal(moving.client.state, 'open', 'the first advice counts')
})

t.test('has a row for each state, and each row leads to a state', async (t) => {
  t.strictSame(states.sort(), Object.keys(reach).sort())
  for (const row of Object.values(transitions)) {
    for (const [next] of Object.values(row)) t.ok(states.includes(next))
  }
})
