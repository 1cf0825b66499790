// Calls in both directions, over sockets that are lost.
import t from 'tap'
import { openLab, plainLab, ticks, type Lab } from './fixtures/world.js'

/** The JSON messages that the client has sent since the last call, without controls. */
function sentBy (lab: Lab): unknown[] {
  const texts = lab.socket.takeSent().map(String)
  return texts.filter((text) => text[0] === '{').map((text) => JSON.parse(text) as unknown)
}

/** The code of the error that a call is rejected with; undefined while it waits. */
function codeOf (call: Promise<unknown>): () => string | undefined {
  let code: string | undefined
  call.catch((error: { code: string }) => { code = error.code })
  return () => code
}

t.test('resolves with the answer of the server', async (t) => {
  const lab = await openLab()
  const say = lab.client.call('say', { text: 'hi' })
  const count = lab.client.call('count', undefined)
  t.strictSame(sentBy(lab), [
    { topic: 'say', data: { text: 'hi' }, id: 0 }, { topic: 'count', id: 1 }
  ])
  lab.socket.message('{"re":1,"data":7}').message('{"re":0}')
  t.equal(await count, 7)
  t.equal(await say, undefined)
  t.strictSame(lab.messages, [], 'an answer is no event')
})

t.test('rejects with the code, the message and the path of the server', async (t) => {
  const lab = await openLab()
  const first = lab.client.call('say', {})
  const second = lab.client.call('say', {})
  lab.socket.message(
    '{"re":0,"error":{"code":"INVALID_MESSAGE","message":"the data is invalid","path":"/text"}}')
  lab.socket.message('{"re":1,"error":{"code":"ROOM_FULL"}}')
  await t.rejects(first, {
    code: 'INVALID_MESSAGE', message: 'the data is invalid', path: '/text'
  })
  await t.rejects(second, { code: 'ROOM_FULL', message: 'ROOM_FULL' })
})

t.test('rejects a call that has no answer in time, and ignores a late answer', async (t) => {
  const lab = await openLab()
  const short = codeOf(lab.client.call('say', 1, { timeout: 50 }))
  const usual = codeOf(lab.client.call('say', 2))
  await lab.world.pass(50)
  t.strictSame([short(), usual()], ['TIMEOUT', undefined])
  lab.socket.message('{"re":0,"data":1}').message('{"re":0,"data":1}')
  await lab.world.pass(9949)
  t.equal(usual(), undefined)
  await lab.world.pass(1)
  t.equal(usual(), 'TIMEOUT')
  t.strictSame(lab.messages, [])
})

t.test('gives answers to numbers that it has not given to the application', async (t) => {
  const lab = await plainLab()
  const texts = ['{"re":0}', '{"re":"subject"}', '{"topic":"mail","re":0}', '{"topic":7,"id":"x"}']
  for (const text of texts) lab.socket.message(text)
  t.strictSame(lab.messages, texts)
})

t.test('refuses the 65th call that waits, and an invalid time-out', async (t) => {
  const lab = await openLab()
  const calls = Array.from({ length: 64 }, async (_, n) => await lab.client.call('say', n))
  await t.rejects(lab.client.call('say', 64), { code: 'TOO_MANY_CALLS' })
  t.equal(sentBy(lab).length, 64)
  for (let n = 63; n >= 0; n--) lab.socket.message(`{"re":${n},"data":${n}}`)
  t.strictSame(await Promise.all(calls), Array.from({ length: 64 }, (_, n) => n))
  for (const timeout of [-1, 1.5, NaN, 2 ** 31]) {
    await t.rejects(lab.client.call('say', 0, { timeout }), { code: 'INVALID_OPTIONS' })
  }
  lab.client.call('say', 0).catch(() => {})
  t.match(sentBy(lab), [{ id: 64 }])
})

t.test('refuses a call when the queue is full or the client is closed', async (t) => {
  const lab = await openLab({ queue: 10 })
  await t.rejects(lab.client.call('say', 'more than ten bytes'), { code: 'QUEUE_FULL' })
  lab.client.close()
  await t.rejects(lab.client.call('say', 1), { code: 'CLOSED' })
})

t.test('keeps a call that waits while its socket is lost, and takes its answer once', async (t) => {
  const lab = await openLab()
  const sent = lab.client.call('say', 'sent')
  lab.socket.end()
  const queued = lab.client.call('say', 'queued')
  await lab.retry()
  lab.socket.open().hello({ resumed: true, received: 1 })
  t.strictSame(sentBy(lab), [{ topic: 'say', data: 'queued', id: 1 }], 'the first one was taken')
  lab.socket.message('{"re":0,"data":"a"}')
  lab.socket.end()
  await lab.retry()
  lab.socket.open().hello({ resumed: true, received: 2, from: 1 })
  lab.socket.message('{"re":0,"data":"a"}').message('{"re":1,"data":"b"}')
  t.strictSame(await Promise.all([sent, queued]), ['a', 'b'])
  t.strictSame(lab.messages, [])
})

for (const resend of [false, true]) {
  const which = resend ? 'with `resend`, too' : 'and hands out messages only'
  t.test(`rejects all calls when a new session begins, ${which}`, async (t) => {
    const lab = await openLab({ resend })
    const taken = codeOf(lab.client.call('say', 'taken'))
    lab.socket.message('\0a1').end()
    const queued = codeOf(lab.client.call('say', 'queued'))
    lab.client.send('text')
    await lab.retry()
    lab.socket.open().hello({ why: 'expired' })
    await ticks()
    t.strictSame([taken(), queued()], ['SESSION_RESET', 'SESSION_RESET'])
    t.strictSame(lab.resets, [{ why: 'expired', unsent: resend ? [] : ['text'] }])
    t.equal(lab.socket.takeSent().includes('text'), resend)
    lab.client.call('say', 'new').catch(() => {})
    t.strictSame(sentBy(lab), [{ topic: 'say', data: 'new', id: 2 }])
  })
}

t.test('rejects all calls when the client is closed, and leaves no timer', async (t) => {
  const lab = await openLab()
  const code = codeOf(lab.client.call('say', 1))
  lab.client.send('text')
  lab.client.close()
  await ticks()
  t.equal(code(), 'CLOSED')
  t.match(lab.last, { state: 'closed', unsent: ['text'] })
  t.equal(lab.world.pending, 0)
})

t.test('answers calls of the server', async (t) => {
  const lab = await openLab()
  const remove = lab.client.handle('confirm', async (question) => {
    await ticks()
    return question === 'Really?'
  })
  lab.client.on('confirm', () => { t.fail('a call is no event') })
  lab.socket.message('{"topic":"confirm","data":"Really?","id":0}')
  lab.socket.message('{"topic":"confirm","id":1}')
  await ticks()
  await ticks()
  t.strictSame(sentBy(lab), [{ re: 0, data: true }, { re: 1, data: false }])
  remove()
  lab.client.handle('confirm', () => {})
  lab.socket.message('{"topic":"confirm","id":2}')
  await ticks()
  t.strictSame(sentBy(lab), [{ re: 2 }])
  t.strictSame(lab.messages, [])
})

t.test('tells the server why a handler failed, if the error has a code', async (t) => {
  const lab = await openLab()
  const failure = new Error('a detail of the page')
  lab.client.handle('busy', () => {
    throw Object.assign(new Error('not now'), { code: 'BUSY' })
  })
  lab.client.handle('broken', () => { throw Object.assign(failure, { code: 20 }) })
  lab.client.handle('circular', () => {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    return circle
  })
  const listeners = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  const uncaught: unknown[] = []
  process.on('unhandledRejection', (error) => { uncaught.push(error) })
  for (const topic of ['busy', 'broken', 'circular']) {
    lab.socket.message(JSON.stringify({ topic, id: 5 }))
  }
  await ticks()
  await new Promise(setImmediate)
  process.removeAllListeners('unhandledRejection')
  for (const listener of listeners) process.on('unhandledRejection', listener)
  t.strictSame(sentBy(lab), [
    { re: 5, error: { code: 'BUSY', message: 'not now' } },
    { re: 5, error: { code: 'CALL_FAILED', message: 'the call failed' } },
    { re: 5, error: { code: 'CALL_FAILED', message: 'the call failed' } }
  ])
  t.equal(uncaught[0], failure)
  t.equal(uncaught.length, 2)
})

t.test('refuses a call under a topic that it does not know', async (t) => {
  const lab = await openLab()
  lab.client.on('said', () => {})
  lab.socket.message('{"topic":"confirm","id":3}').message('{"topic":"said","data":1,"id":4}')
  await ticks()
  t.strictSame(sentBy(lab), [
    { re: 3, error: { code: 'UNKNOWN_TOPIC', message: 'UNKNOWN_TOPIC' } }
  ], 'a topic with a listener is an event')
  t.strictSame(lab.messages, ['{"topic":"confirm","id":3}'])
})

t.test('answers over a lost socket, but never in another session', async (t) => {
  const lab = await openLab({ resend: true })
  const answers: Array<(answer: unknown) => void> = []
  lab.client.handle('confirm', async () => await new Promise((resolve) => { answers.push(resolve) }))
  lab.socket.message('{"topic":"confirm","id":0}').message('{"topic":"confirm","id":1}')
  lab.socket.message('{"topic":"confirm","id":2}').end()
  answers[0]('kept')
  await ticks()
  await lab.retry()
  lab.socket.open().hello({ resumed: true, from: 4 })
  t.strictSame(sentBy(lab), [{ re: 0, data: 'kept' }])
  lab.socket.end()
  answers[1]('queued in the old session')
  await ticks()
  await lab.retry()
  lab.socket.open().hello({ why: 'expired' })
  answers[2]('late')
  await ticks()
  t.strictSame(sentBy(lab), [])
})

t.test('calls in both directions in plain mode', async (t) => {
  const lab = await plainLab()
  lab.client.handle('confirm', () => true)
  const say = lab.client.call('say', 'hi')
  lab.socket.message('{"topic":"confirm","id":0}').message('{"topic":"other","id":1}')
  lab.socket.message('{"re":0,"data":"said"}')
  t.equal(await say, 'said')
  await ticks()
  t.strictSame(sentBy(lab), [{ topic: 'say', data: 'hi', id: 0 }, { re: 0, data: true }])
  t.strictSame(lab.messages, ['{"topic":"other","id":1}'], 'another server uses `id` as it likes')
  const lost = codeOf(lab.client.call('say', 'lost'))
  lab.socket.end()
  await lab.retry()
  lab.socket.open('')
  await ticks()
  t.equal(lost(), 'SESSION_RESET')
})

t.test('tells of a message that the server has dropped', async (t) => {
  const lab = await openLab()
  const seen: unknown[] = []
  lab.client.on('invalid', (event) => { seen.push(event) })
  lab.socket.message('\0e{"topic":"say","path":"/text"}').message('\0e{"path":""}').message('\0e?')
  lab.socket.message('{"topic":"invalid","data":"forged"}')
  t.strictSame(seen, [{ topic: 'say', path: '/text' }, { path: '' }])
  t.equal(lab.messages.length, 1)
})

t.test('sends a topic with its data', async (t) => {
  const lab = await openLab()
  t.ok(lab.client.send('say', { text: 'hi' }))
  t.ok(lab.client.send('typing', undefined))
  t.strictSame(lab.socket.takeSent(), ['{"topic":"say","data":{"text":"hi"}}', '{"topic":"typing"}'])
  t.throws(() => lab.client.send('say', 1n), TypeError)
})
