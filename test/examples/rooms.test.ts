import t from 'tap'
import { app } from '../../examples/rooms.js'
import { Client, listen, refusal } from './fixtures/client.js'

interface Said { name: string, text: string }

await listen(t, app)

t.test('delivers messages to everyone in a room, and to no other room', async (t) => {
  const ada = await Client.connect(t, app, '/rooms/tea?name=Ada')
  const grace = await Client.connect(t, app, '/rooms/tea?name=Grace')
  const other = await Client.connect(t, app, '/rooms/coffee?name=Edsger')
  for (const client of [ada, grace, other]) t.same(await client.next('history'), [])
  ada.send('Good morning')
  for (const client of [ada, grace]) {
    t.same(await client.next('said'), { name: 'Ada', text: 'Good morning' })
  }
  other.send('Hush')
  t.same(await other.next('said'), { name: 'Edsger', text: 'Hush' }, 'the first message there')
})

t.test('sends the last 50 messages to a client that enters later', async (t) => {
  const ada = await Client.connect(t, app, '/rooms/long?name=Ada')
  for (let n = 1; n <= 60; n++) ada.send(`message ${n}`)
  await ada.next('said', ({ text }: Said) => text === 'message 60')
  const grace = await Client.connect(t, app, '/rooms/long?name=Grace')
  const history = await grace.next<Said[]>('history')
  t.same(history.map(({ text }) => text), Array.from({ length: 50 }, (_, n) => `message ${n + 11}`))
})

t.test('keeps the messages of a room that everyone has left', async (t) => {
  const ada = await Client.connect(t, app, '/rooms/empty?name=Ada')
  ada.send('Anybody?')
  await ada.next('said')
  ada.close()
  await ada.closed
  const grace = await Client.connect(t, app, '/rooms/empty?name=Grace')
  t.same(await grace.next('history'), [{ name: 'Ada', text: 'Anybody?' }])
})

t.test('keeps the clients of a room that crashes', async (t) => {
  const ada = await Client.connect(t, app, '/rooms/crash?name=Ada')
  await ada.next('history')
  app.processes.exit('@room/crash', 'boom')
  await ada.next('history')
  ada.send('Still here')
  t.same(await ada.next('said'), { name: 'Ada', text: 'Still here' })
})

t.test('refuses an invalid room or name', async (t) => {
  for (const path of ['/rooms/No%20room?name=Ada', '/rooms/tea', '/rooms/tea?name=']) {
    t.equal(await refusal(app, path), 400, path)
  }
})
