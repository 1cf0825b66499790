import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { PendingAnswers } from '../../../../lib/cluster/engines/session/pending-answers.js'

const late = (): Error => new Error('late')

t.test('settles with the answer or its error', async (t) => {
  const answers = new PendingAnswers()
  t.equal(await answers.waitFor(60_000, Promise.resolve(5), late), 5)
  await t.rejects(answers.waitFor(60_000, Promise.reject(new Error('failed')), late), {
    message: 'failed'
  })
  answers.rejectAll(new Error('too late to matter'))
})

t.test('rejects when the answer is late', async (t) => {
  await t.rejects(new PendingAnswers().waitFor(1, new Promise(() => {}), late), { message: 'late' })
})

t.test('accepts an answer that arrived while the event loop was blocked', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.teardown(() => { client.destroy() })
  const [engine] = await accepted as [Socket]
  const answer = new PendingAnswers().waitFor(1, once(client, 'data'), late)
  // The answer is in the client's socket when this returns, and is read after the timer has fired.
  engine.end('here')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
  t.equal(String(await answer), 'here')
})

t.test('rejects all pending answers when the connection is lost', async (t) => {
  const answers = new PendingAnswers()
  const cut = Promise.all(
    [1, 2].map(() =>
      t.rejects(answers.waitFor(60_000, new Promise(() => {}), late), { message: 'gone' })
    )
  )
  answers.rejectAll(new Error('gone'))
  await cut
})
