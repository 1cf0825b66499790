import t, { type Test } from 'tap'
import { app } from '../../examples/notify.js'
import { Client, listen, refusal } from './fixtures/client.js'

await listen(t, app)

async function post (url: string, payload: object, token?: string) {
  const query: Record<string, string> = token === undefined ? {} : { token }
  const response = await app.inject({ method: 'POST', url, payload, query })
  return { status: response.statusCode, body: response.json<Record<string, unknown>>() }
}

async function logIn (user: string) {
  return (await post('/login', { user })).body.token as string
}

/** Connects a client and waits until it is in the group of its user. */
async function connect (t: Test, user: string) {
  const members = () => app.processes.groups.members(user).length
  const before = members()
  const client = await Client.connect(t, app, `/notices?token=${await logIn(user)}`)
  // When the socket is open, its join may still be in the registrar's mailbox.
  while (members() === before) await new Promise(setImmediate)
  return client
}

t.test('sends a notice to all devices of one user, and to no other user', async (t) => {
  const phone = await connect(t, 'ada')
  const laptop = await connect(t, 'ada')
  const grace = await connect(t, 'grace')
  const token = await logIn('linus')
  const reached = await post('/notify', { user: 'ada', text: 'for Ada' }, token)
  t.same(reached, { status: 200, body: { reached: 2 } })
  t.same((await post('/notify', { user: 'grace', text: 'for Grace' }, token)).body, { reached: 1 })
  for (const client of [phone, laptop]) t.same(await client.next('notice'), 'for Ada')
  t.same(await grace.next('notice'), 'for Grace', 'her first message')
})

t.test('does not count a client that has left', async (t) => {
  const client = await connect(t, 'barbara')
  const [pid] = app.processes.groups.members('barbara')
  client.close()
  await app.processes.exited(pid)
  const { body } = await post('/notify', { user: 'barbara', text: '?' }, await logIn('linus'))
  t.same(body, { reached: 0 })
})

t.test('closes the sockets of a token that expires', async (t) => {
  const token = app.jwt.sign({ sub: 'ada' }, { expiresIn: '10m' })
  const { exp } = app.jwt.decode<{ exp: number }>(token)!
  const { now } = Date
  t.teardown(() => { Date.now = now })
  let time = 1000 * exp - 20
  Date.now = () => time
  const client = await Client.connect(t, app, `/notices?token=${token}`)
  // The connection looks at the time of day when its 20 ms are over.
  time = 1000 * exp
  t.same(await client.closed, { code: 1008, reason: 'session expired' })
})

t.test('drops what a client sends', async (t) => {
  const client = await connect(t, 'donald')
  for (const frame of ['text', { topic: 'notice', data: 'forged' }]) client.send(frame)
  const token = await logIn('linus')
  t.same((await post('/notify', { user: 'donald', text: 'hi' }, token)).body, { reached: 1 })
  t.equal(await client.next('notice'), 'hi')
})

t.test('refuses a socket and a notice without a valid token', async (t) => {
  const expired = app.jwt.sign({ sub: 'ada' }, { expiresIn: '-1m' })
  for (const query of ['', '?token=']) {
    t.equal(await refusal(app, `/notices${query}`), 400, query)
  }
  for (const token of ['a.b.c', expired]) {
    t.equal(await refusal(app, `/notices?token=${token}`), 401, token)
  }
  t.equal((await post('/notify', { user: 'ada', text: 'x' })).status, 400)
  t.equal((await post('/notify', { user: 'ada', text: 'x' }, expired)).status, 401)
})

t.test('refuses an invalid user, and a notice without text', async (t) => {
  const token = await logIn('ada')
  t.equal((await post('/login', { user: 'no:name' })).status, 400)
  t.equal((await post('/notify', { user: '@', text: 'x' }, token)).status, 400)
  t.equal((await post('/notify', { user: 'ada' }, token)).status, 400)
})

t.test('serves a page with the client', async (t) => {
  t.match((await app.inject('/')).body, "import { connect } from '/client.js'")
})
