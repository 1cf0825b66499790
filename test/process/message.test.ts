import t from 'tap'
import { checkTopic, isSystemTopic, Mail } from '../../lib/process/message.js'

t.test('topics are 1 to 128 characters and do not begin with @', async (t) => {
  for (const topic of ['a', 'ws.send', 'é', ' ', 'a@b', 'x'.repeat(128), '__proto__']) {
    checkTopic(topic)
  }
  for (const topic of ['', '@', '@exit', 'x'.repeat(129), 5, null, undefined, {}, Symbol('x')]) {
    t.throws(() => { checkTopic(topic) }, { code: 'FST_PROCESS_INVALID_TOPIC' })
  }
  t.ok(isSystemTopic('@cancel'))
  t.notOk(isSystemTopic('cancel'))
})

t.test('shows the public fields of a message only', async (t) => {
  const mail = new Mail('x', 1, undefined, undefined, 7)
  t.strictSame(Object.keys(mail), ['topic', 'payload', 'from', 'reply', 'fail'])
  t.strictSame(JSON.parse(JSON.stringify(mail)), { topic: 'x', payload: 1 })
  t.equal(mail.bytes, 7)
})

t.test('ignores a reply to a message that is no call', async (t) => {
  const { reply, fail, payload, bytes } = new Mail('x', 1, undefined)
  t.equal(reply(5), undefined)
  t.equal(fail(new Error('no')), undefined)
  t.equal(payload, 1)
  t.equal(bytes, 0)
})
