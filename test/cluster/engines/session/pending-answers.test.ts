import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import t from 'tap'
import { nodeClock } from '../../../../lib/shared/clock.js'
import {
  PendingAnswers, type AnswerLimit
} from '../../../../lib/cluster/engines/session/pending-answers.js'
import { ManualClock } from '../../../properties/clock.js'

const late = (): Error => new Error('late')
const patient: AnswerLimit = { clock: nodeClock, timeout: 60_000, late }

t.test('settles with the answer or its error', async (t) => {
  const answers = new PendingAnswers()
  t.equal(await answers.waitFor(Promise.resolve(5), patient), 5)
  await t.rejects(answers.waitFor(Promise.reject(new Error('failed')), patient), {
    message: 'failed'
  })
  answers.rejectAll(new Error('too late to matter'))
})

t.test('rejects when the answer is late', async (t) => {
  const clock = new ManualClock()
  const answer = new PendingAnswers().waitFor(new Promise(() => {}), { clock, timeout: 5, late })
  clock.advance(5)
  clock.yieldOnce()
  await t.rejects(answer, { message: 'late' })
})

t.test('accepts an answer that arrived while the event loop was blocked', async (t) => {
  const server = createServer().listen(0, '127.0.0.1')
  t.teardown(() => { server.close() })
  await once(server, 'listening')
  const accepted = once(server, 'connection')
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1')
  t.teardown(() => { client.destroy() })
  const [engine] = await accepted as [Socket]
  const answer = new PendingAnswers().waitFor(once(client, 'data'), {
    clock: nodeClock, timeout: 1, late
  })
  // The answer is in the client's socket when this returns, and is read after the timer has fired.
  engine.end('here')
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50)
  t.equal(String(await answer), 'here')
})

t.test('rejects all pending answers when the connection is lost', async (t) => {
  const answers = new PendingAnswers()
  const cut = Promise.all(
    [1, 2].map(() =>
      t.rejects(answers.waitFor(new Promise(() => {}), patient), { message: 'gone' })
    )
  )
  answers.rejectAll(new Error('gone'))
  await cut
})
