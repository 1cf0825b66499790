// Reasons, names and errors of users in explanations.
import t from 'tap'
import { summaryOf } from '../../../lib/process/explain/error-summary.js'
import { build, settle } from '../helpers.js'

const line = /^[^\p{C}\p{Zl}\p{Zp}]*$/u

t.test('keeps the text on one line, and short, for any reason', async (t) => {
  const reasons = ['a\nb\r\tc', '\u2028\u2029', '\u202Ereversed', 'x'.repeat(256), '`', '\0', '😀']
  for (const reason of reasons) {
    const processes = build(t)
    const pid = processes.spawn(() => new Promise(() => {}))
    processes.exit(pid, reason)
    const { text, chain } = processes.explain(pid)!
    t.match(text, line)
    t.ok(text.length < 400)
    t.equal(chain[0].reason, reason, 'the data has the reason as it is')
  }
})

t.test('keeps the text on one line, and short, for any error', async (t) => {
  const errors = [
    new Error('first\n    at second (file.ts:1:2)\nthird'), new Error('y'.repeat(100_000)), 'text',
    undefined, Object.assign(new Error('x'), { name: 'A\nB' }), new AggregateError([1, 2])
  ]
  for (const error of errors) {
    const processes = build(t)
    const pid = processes.spawn(async () => { throw error })
    await settle()
    const { text, chain } = processes.explain(pid)!
    t.match(text, line)
    t.ok(text.length < 500)
    t.ok(chain[0].error!.message.length <= 1000)
    t.ok(chain[0].error!.frames.length <= 5)
  }
})

t.test('reads an error whose properties throw or are no text', async (t) => {
  const [broken, refused] = [new Error('x'), new Error('getter')]
  for (const property of ['stack', 'name', 'message']) {
    Object.defineProperty(broken, property, { get () { throw refused } })
  }
  t.strictSame(summaryOf(broken), { name: '', message: '', frames: [] })
  const odd = Object.assign(new Error('x'), { name: 5, message: {}, stack: 7 })
  t.strictSame(summaryOf(odd as never), { name: '', message: '', frames: [] })
  const processes = build(t)
  const pid = processes.spawn(() => { throw broken })
  await settle()
  t.match(processes.explain(pid)!.text, /^process \S+ failed \d+ ms ago$/)
})

t.test('takes the frames after the message', async (t) => {
  const { message, frames } = summaryOf(new Error('x\n    at fake (fake.ts:1:1)'))
  t.match(message, /fake/)
  t.match(frames[0], /hostile\.test\.[jt]s:\d+:\d+/)
  t.equal(frames.length, 5)
  const changed = new Error('before')
  changed.message = 'after'
  t.match(summaryOf(changed).frames[0], /hostile\.test\.[jt]s:\d+:\d+/)
})

t.test('does not keep the error itself', async (t) => {
  const error = new Error('x')
  t.equal(summaryOf(error), summaryOf(error), 'it is read once')
  t.notOk(Object.values(summaryOf(error)).includes(error))
})
