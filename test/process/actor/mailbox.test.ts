import t from 'tap'
import { Mail } from '../../../lib/process/message.js'
import { Mailbox } from '../../../lib/process/actor/mailbox.js'
import type { Pid } from '../../../types/pid.js'

const mail = (topic: string, bytes = 0): Mail => new Mail(topic, undefined, undefined, undefined, bytes)
const only = (wanted: string) => (topic: string) => topic === wanted

t.test('a mailbox is a queue, out of which one topic can be taken first', async (t) => {
  const mailbox = new Mailbox({ messages: 10, bytes: 10 })
  for (const topic of ['a', 'b', 'a', 'c']) mailbox.push(mail(topic))
  t.ok(mailbox.has())
  t.ok(mailbox.has(only('c')))
  t.notOk(mailbox.has(only('d')))
  t.equal(mailbox.take(only('c'))?.topic, 'c')
  t.equal(mailbox.take(only('c')), undefined)
  t.strictSame([mailbox.take()?.topic, mailbox.take()?.topic, mailbox.take()?.topic], ['a', 'b', 'a'])
  t.equal(mailbox.take(), undefined)
  t.notOk(mailbox.has())
})

t.test('it is full at either limit, and congested at three quarters of one', async (t) => {
  const byCount = new Mailbox({ messages: 4, bytes: 100 })
  for (let i = 0; i < 3; i++) byCount.push(mail('x'))
  t.ok(byCount.congested)
  t.notOk(byCount.full)
  byCount.push(mail('x'))
  t.ok(byCount.full)

  const byBytes = new Mailbox({ messages: 100, bytes: 100 })
  byBytes.push(mail('x', 75))
  t.ok(byBytes.congested)
  t.notOk(byBytes.full)
  byBytes.push(mail('x', 25))
  t.ok(byBytes.full)
  byBytes.take()
  t.notOk(byBytes.congested)
})

t.test('names the senders of a topic that wait, each once and none without a PID', async (t) => {
  const mailbox = new Mailbox({ messages: 10, bytes: 10 })
  t.equal(mailbox.sendersOf('a'), undefined)
  const from = (topic: string, sender?: string): Mail => new Mail(topic, undefined, sender as Pid | undefined)
  for (const one of [from('a', '1'), from('b', '2'), from('a'), from('a', '3'), from('a', '1')]) mailbox.push(one)
  t.strictSame(mailbox.sendersOf('a'), new Set(['1', '3']))
  t.equal(mailbox.sendersOf('c'), undefined)
  t.equal(mailbox.length, 5, 'and takes none of them')
})

t.test('the smallest mailbox is congested when it holds something, not before', async (t) => {
  const mailbox = new Mailbox({ messages: 1, bytes: 100 })
  t.notOk(mailbox.congested)
  mailbox.push(mail('x'))
  t.ok(mailbox.congested)
})

t.test('feeders resume at a quarter, in order, until it is congested again', async (t) => {
  const mailbox = new Mailbox({ messages: 4, bytes: 100 })
  const resumed: string[] = []
  for (let i = 0; i < 4; i++) mailbox.push(mail('x'))
  mailbox.wait({ resume () { resumed.push('first') } })
  mailbox.wait({ resume () { resumed.push('second'); mailbox.push(mail('x')); mailbox.push(mail('x')) } })
  mailbox.wait({ resume () { resumed.push('third') } })
  mailbox.take()
  mailbox.take()
  t.strictSame(resumed, [])
  mailbox.take()
  t.strictSame(resumed, ['first', 'second'])
  mailbox.take()
  mailbox.take()
  t.strictSame(resumed, ['first', 'second', 'third'])
})

t.test('taking a message back makes room, too', async (t) => {
  const mailbox = new Mailbox({ messages: 1, bytes: 100 })
  let resumed = 0
  mailbox.push(mail('@exit'))
  mailbox.wait({ resume () { resumed++ } })
  t.equal(mailbox.remove(() => false), undefined)
  t.equal(mailbox.remove(() => true)?.topic, '@exit')
  t.equal(resumed, 1)
})

t.test('a feeder that is gone is not resumed', async (t) => {
  const mailbox = new Mailbox({ messages: 4, bytes: 100 })
  const gone = { resume: () => t.fail('resumed') }
  const stays = { resume: () => t.pass() }
  mailbox.forget(gone)
  mailbox.push(mail('x'))
  mailbox.wait(gone)
  mailbox.wait(stays)
  mailbox.forget(gone)
  mailbox.take()
  mailbox.wait(gone)
  mailbox.forget(gone)
  mailbox.push(mail('x'))
  mailbox.take()
})

t.test('clear says how many were lost', async (t) => {
  const mailbox = new Mailbox({ messages: 4, bytes: 100 })
  mailbox.push(mail('x', 90))
  mailbox.push(mail('x', 10))
  t.equal(mailbox.clear(), 2)
  t.equal(mailbox.length, 0)
  t.notOk(mailbox.full)
})
