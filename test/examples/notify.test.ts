import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import notify from '../../examples/notify.js'
import { Client, portOf, refusal, serve, warnings } from './fixtures/client.js'

async function post (app: FastifyInstance, payload: object) {
  const response = await fetch(`http://127.0.0.1:${portOf(app)}/notify`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(payload)
  })
  return { status: response.status, body: await response.json() as { reached?: number } }
}

/** Connects a client and waits until it is in its groups. */
async function connect (t: Test, app: FastifyInstance, user: string) {
  const before = app.processes.groups.members('users').length
  const client = await Client.connect(t, app, `/notifications?user=${user}`)
  // When the socket is open, its join may still be in the registrar's mailbox.
  while (app.processes.groups.members('users').length === before) await new Promise(setImmediate)
  return client
}

t.test('sends a notice to every socket, and counts them', async (t) => {
  const app = await serve(t, notify)
  const clients = [
    await connect(t, app, 'ada'),
    await connect(t, app, 'ada'),
    await connect(t, app, 'grace')
  ]
  t.same(await post(app, { text: 'tea is ready' }), { status: 200, body: { reached: 3 } })
  for (const client of clients) t.same(await client.next('notice'), { text: 'tea is ready' })
})

t.test('sends a notice to all devices of one user, and to no other user', async (t) => {
  const app = await serve(t, notify)
  const phone = await connect(t, app, 'ada')
  const laptop = await connect(t, app, 'ada')
  const grace = await connect(t, app, 'grace')
  t.same((await post(app, { user: 'ada', text: 'for you' })).body, { reached: 2 })
  t.same((await post(app, { text: 'for all' })).body, { reached: 3 })
  for (const client of [phone, laptop]) t.same(await client.next('notice'), { text: 'for you' })
  t.same(await grace.next('notice'), { text: 'for all' }, 'her first message')
})

t.test('does not count a client that has left', async (t) => {
  const app = await serve(t, notify)
  const ada = await connect(t, app, 'ada')
  const [pid] = app.processes.groups.members('users')
  ada.close()
  await app.processes.exited(pid)
  t.same((await post(app, { text: 'anybody?' })).body, { reached: 0 })
})

t.test('refuses an invalid user, before and after the upgrade', async (t) => {
  const app = await serve(t, notify)
  t.equal(await refusal(app, '/notifications?user=no%20such:name'), 400)
  t.equal(await refusal(app, '/notifications'), 400)
  t.equal((await post(app, { user: '@', text: 'x' })).status, 400)
  t.equal((await post(app, { user: 'ada' })).status, 400)
})

t.test('logs no warning', async (t) => {
  t.strictSame(warnings, [])
})
