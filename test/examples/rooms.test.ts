import t, { type Test } from 'tap'
import { app } from '../../examples/rooms.js'
import { Client, listen, refusal } from './fixtures/client.js'

interface Said { name: string, text: string }

await listen(t, app)

const enter = async (t: Test, room: string, name: string) =>
  await Client.connect(t, app, `/rooms/${room}/${name}`)

const say = (client: Client, text: string) => { client.send({ topic: 'say', data: text }) }

t.test('delivers messages to everyone in a room, and to no other room', async (t) => {
  const ada = await enter(t, 'tea', 'ada')
  const grace = await enter(t, 'tea', 'grace')
  const other = await enter(t, 'coffee', 'edsger')
  // Her message shows that she is in the room.
  say(grace, 'Hello')
  await grace.next('said')
  say(ada, 'Good morning')
  for (const client of [ada, grace]) {
    const said = await client.next('said', ({ name }: Said) => name === 'ada')
    t.same(said, { name: 'ada', text: 'Good morning' })
  }
  say(other, 'Hush')
  t.same(await other.next('said'), { name: 'edsger', text: 'Hush' }, 'the first message there')
})

t.test('sends the last 50 messages to a client that enters later', async (t) => {
  const ada = await enter(t, 'long', 'ada')
  for (let n = 1; n <= 60; n++) say(ada, `message ${n}`)
  await ada.next('said', ({ text }: Said) => text === 'message 60')
  const grace = await enter(t, 'long', 'grace')
  for (let n = 11; n <= 60; n++) {
    t.same(await grace.next('said'), { name: 'ada', text: `message ${n}` })
  }
})

t.test('keeps the messages of a room that everyone has left', async (t) => {
  const ada = await enter(t, 'empty', 'ada')
  say(ada, 'Anybody?')
  await ada.next('said')
  ada.close()
  await ada.closed
  const grace = await enter(t, 'empty', 'grace')
  t.same(await grace.next('said'), { name: 'ada', text: 'Anybody?' })
})

t.test('keeps the clients of a room that crashes', async (t) => {
  const ada = await enter(t, 'crash', 'ada')
  say(ada, 'Before')
  await ada.next('said')
  app.processes.exit('@room/crash', 'boom')
  say(ada, 'Still here')
  t.same(await ada.next('said'), { name: 'ada', text: 'Still here' })
})

t.test('drops a message that is invalid, and closes one that is too large', async (t) => {
  const ada = await enter(t, 'strict', 'ada')
  for (const frame of ['text', '{}', { topic: 'said', data: '' }, { topic: 'say', data: 7 }]) {
    ada.send(frame)
  }
  say(ada, 'x'.repeat(501))
  say(ada, 'x'.repeat(500))
  t.same(await ada.next('said'), { name: 'ada', text: 'x'.repeat(500) })
  ada.send('x'.repeat(5000))
  t.equal((await ada.closed).code, 1009)
})

t.test('refuses an invalid room or name', async (t) => {
  for (const path of ['/rooms/No%20room/ada', '/rooms/tea/a%40b', '/rooms/tea/']) {
    t.equal(await refusal(app, path), 400, path)
  }
})

t.test('serves a page with the client', async (t) => {
  t.match((await app.inject('/')).body, "import { connect } from '/client.js'")
  t.match((await app.inject('/client.js')).headers, { 'content-type': /javascript/ })
})
