import t, { type Test } from 'tap'
import { app } from '../../examples/agent.js'
import { Client, listen } from './fixtures/client.js'

await listen(t, app)

/** A client that numbers its calls. */
async function connect (t: Test) {
  const client = await Client.connect(t, app, '/agent')
  let id = 0
  return {
    client,
    ask: (data: unknown) => { client.send({ topic: 'ask', data, id: ++id }) },
    cancel: () => { client.send({ topic: 'cancel', data: null }) },
    /** The next answer to a call. */
    answer: async () => {
      for (;;) {
        const message = JSON.parse(await client.text()) as { re?: number }
        if (message.re !== undefined) return message
      }
    }
  }
}

const long = 'tea '.repeat(200)
const cancelled = { code: 'CANCELLED', message: 'the answer was cancelled' }

t.test('streams an answer word by word, and then answers the call', async (t) => {
  const { client, ask, answer } = await connect(t)
  ask('What is tea?')
  for (const word of 'You asked: What is tea?'.split(' ')) t.equal(await client.next('word'), word)
  t.same(await answer(), { re: 1, data: 'done' })
})

t.test('stops an answer when the client cancels it, and answers the next question', async (t) => {
  const { client, ask, cancel, answer } = await connect(t)
  ask(long)
  await client.next('word')
  cancel()
  t.same(await answer(), { re: 1, error: cancelled })
  cancel()
  ask('short')
  t.same(await answer(), { re: 2, data: 'done' })
})

t.test('stops an answer when a new question comes', async (t) => {
  const { client, ask, answer } = await connect(t)
  ask(long)
  await client.next('word')
  ask('short')
  t.same(await answer(), { re: 1, error: cancelled })
  t.same(await answer(), { re: 2, data: 'done' })
})

t.test('refuses a question that is too long', async (t) => {
  const { ask, answer } = await connect(t)
  ask('x'.repeat(1001))
  t.match(await answer(), { re: 1, error: { code: 'INVALID_MESSAGE' } })
})

t.test('ends the conversation of a client that has left', async (t) => {
  const { client, ask } = await connect(t)
  ask(long)
  await client.next('word')
  const conversations = app.processes.list().filter((pid) => {
    return app.processes.info(pid)?.label?.startsWith('conversation')
  })
  const exits = conversations.map((pid) => app.processes.exited(pid))
  client.close()
  t.equal((await exits.at(-1)!).reason, 'shutdown')
})

t.test('serves a page with the client', async (t) => {
  t.match((await app.inject('/')).body, "import { connect } from '/client.js'")
})
