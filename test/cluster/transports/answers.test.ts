import t from 'tap'
import { Answers } from '../../../lib/cluster/transports/answers.js'

const late = (): Error => new Error('late')

t.test('an answer comes, or fails', async (t) => {
  const answers = new Answers()
  t.equal(await answers.within(60_000, Promise.resolve(5), late), 5)
  await t.rejects(answers.within(60_000, Promise.reject(new Error('failed')), late), { message: 'failed' })
  answers.cutOff(new Error('too late to matter'))
})

t.test('an answer that does not come is late', async (t) => {
  await t.rejects(new Answers().within(1, new Promise(() => {}), late), { message: 'late' })
})

t.test('what is waited for is cut off', async (t) => {
  const answers = new Answers()
  const cut = Promise.all([1, 2].map(() => t.rejects(answers.within(60_000, new Promise(() => {}), late), { message: 'gone' })))
  answers.cutOff(new Error('gone'))
  await cut
})
