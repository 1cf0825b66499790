import t from 'tap'
import { Mail } from '../../../lib/process/message.js'
import { Mailbox } from '../../../lib/process/actor/mailbox.js'
import type { Pid } from '../../../types/pid.js'

const mail = (topic: string, bytes = 0): Mail =>
  new Mail(topic, undefined, undefined, undefined, bytes)
const only = (wanted: string) => (topic: string) => topic === wanted

t.test('dequeues in order, or one topic first', async (t) => {
  const mailbox = new Mailbox({ messages: 10, bytes: 10 })
  for (const topic of ['a', 'b', 'a', 'c']) mailbox.enqueueMail(mail(topic))
  t.ok(mailbox.hasMail())
  t.ok(mailbox.hasMail(only('c')))
  t.notOk(mailbox.hasMail(only('d')))
  t.equal(mailbox.dequeueMail(only('c'))?.topic, 'c')
  t.equal(mailbox.dequeueMail(only('c')), undefined)
  t.strictSame(
    [mailbox.dequeueMail()?.topic, mailbox.dequeueMail()?.topic, mailbox.dequeueMail()?.topic],
    ['a', 'b', 'a']
  )
  t.equal(mailbox.dequeueMail(), undefined)
  t.notOk(mailbox.hasMail())
})

t.test('is full at either limit, and congested at three quarters of one', async (t) => {
  const byCount = new Mailbox({ messages: 4, bytes: 100 })
  for (let i = 0; i < 3; i++) byCount.enqueueMail(mail('x'))
  t.ok(byCount.congested)
  t.notOk(byCount.full)
  byCount.enqueueMail(mail('x'))
  t.ok(byCount.full)

  const byBytes = new Mailbox({ messages: 100, bytes: 100 })
  byBytes.enqueueMail(mail('x', 75))
  t.ok(byBytes.congested)
  t.notOk(byBytes.full)
  byBytes.enqueueMail(mail('x', 25))
  t.ok(byBytes.full)
  byBytes.dequeueMail()
  t.notOk(byBytes.congested)
})

t.test('returns each sender of a topic once, without those that have no PID', async (t) => {
  const mailbox = new Mailbox({ messages: 10, bytes: 10 })
  t.equal(mailbox.sendersOf('a'), undefined)
  const from = (topic: string, sender?: string): Mail =>
    new Mail(topic, undefined, sender as Pid | undefined)
  for (const one of [from('a', '1'), from('b', '2'), from('a'), from('a', '3'), from('a', '1')]) {
    mailbox.enqueueMail(one)
  }
  t.strictSame(mailbox.sendersOf('a'), new Set(['1', '3']))
  t.equal(mailbox.sendersOf('c'), undefined)
  t.equal(mailbox.length, 5, 'and takes none of them')
})

t.test('is congested with one message when the limit is one', async (t) => {
  const mailbox = new Mailbox({ messages: 1, bytes: 100 })
  t.notOk(mailbox.congested)
  mailbox.enqueueMail(mail('x'))
  t.ok(mailbox.congested)
})

t.test('resumes producers in order below a quarter, until it is congested again', async (t) => {
  const mailbox = new Mailbox({ messages: 4, bytes: 100 })
  const resumed: string[] = []
  for (let i = 0; i < 4; i++) mailbox.enqueueMail(mail('x'))
  mailbox.subscribeToDrain({ resume () { resumed.push('first') } })
  mailbox.subscribeToDrain({
    resume () {
      resumed.push('second')
      mailbox.enqueueMail(mail('x'))
      mailbox.enqueueMail(mail('x'))
    }
  })
  mailbox.subscribeToDrain({ resume () { resumed.push('third') } })
  mailbox.dequeueMail()
  mailbox.dequeueMail()
  t.strictSame(resumed, [])
  mailbox.dequeueMail()
  t.strictSame(resumed, ['first', 'second'])
  mailbox.dequeueMail()
  mailbox.dequeueMail()
  t.strictSame(resumed, ['first', 'second', 'third'])
})

t.test('resumes producers when messages are removed', async (t) => {
  const mailbox = new Mailbox({ messages: 1, bytes: 100 })
  let resumed = 0
  mailbox.enqueueMail(mail('@exit'))
  mailbox.subscribeToDrain({ resume () { resumed++ } })
  t.equal(mailbox.removeMail(() => false), undefined)
  t.equal(mailbox.removeMail(() => true)?.topic, '@exit')
  t.equal(resumed, 1)
})

t.test('does not resume an unsubscribed producer', async (t) => {
  const mailbox = new Mailbox({ messages: 4, bytes: 100 })
  const gone = { resume: () => t.fail('resumed') }
  const stays = { resume: () => t.pass() }
  mailbox.unsubscribeFromDrain(gone)
  mailbox.enqueueMail(mail('x'))
  mailbox.subscribeToDrain(gone)
  mailbox.subscribeToDrain(stays)
  mailbox.unsubscribeFromDrain(gone)
  mailbox.dequeueMail()
  mailbox.subscribeToDrain(gone)
  mailbox.unsubscribeFromDrain(gone)
  mailbox.enqueueMail(mail('x'))
  mailbox.dequeueMail()
})

t.test('clear returns the number of dropped messages', async (t) => {
  const mailbox = new Mailbox({ messages: 4, bytes: 100 })
  mailbox.enqueueMail(mail('x', 90))
  mailbox.enqueueMail(mail('x', 10))
  t.equal(mailbox.clear(), 2)
  t.equal(mailbox.length, 0)
  t.notOk(mailbox.full)
})
