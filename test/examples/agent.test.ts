import t from 'tap'
import { app } from '../../examples/agent.js'
import { Client, listen } from './fixtures/client.js'

await listen(t, app)

t.test('streams an answer word by word', async (t) => {
  const client = await Client.connect(t, app, '/agent')
  client.send('What is tea?')
  for (const word of 'You asked: What is tea?'.split(' ')) t.equal(await client.next('word'), word)
  t.equal(await client.next('done'), 'What is tea?')
})

t.test('stops an answer when the client cancels it, and answers the next question', async (t) => {
  const client = await Client.connect(t, app, '/agent')
  const long = 'tea '.repeat(200)
  client.send(long)
  await client.next('word')
  client.send('cancel')
  t.equal(await client.next('cancelled'), long)
  client.send('cancel')
  client.send('short')
  t.equal(await client.next('done'), 'short')
})

t.test('stops an answer when a new question comes', async (t) => {
  const client = await Client.connect(t, app, '/agent')
  const long = 'tea '.repeat(200)
  client.send(long)
  await client.next('word')
  client.send('short')
  t.equal(await client.next('cancelled'), long)
  t.equal(await client.next('done'), 'short')
})

t.test('ends the conversation of a client that has left', async (t) => {
  const client = await Client.connect(t, app, '/agent')
  client.send('tea '.repeat(200))
  await client.next('word')
  const conversation = app.processes.list().find((pid) => {
    return app.processes.info(pid)?.label?.startsWith('conversation')
  })!
  const exited = app.processes.exited(conversation)
  client.close()
  t.equal((await exited).reason, 'shutdown')
})
