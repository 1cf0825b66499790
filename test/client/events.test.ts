// Events, topics and the loop over messages.
import t from 'tap'
import { openLab, plainLab, ticks, type Lab } from './fixtures/world.js'

t.test('calls the listeners of a topic with the data', async (t) => {
  const lab = await openLab()
  const said: unknown[] = []
  const remove = lab.client.on('said', (data) => { said.push(data) })
  lab.socket.message('{"topic":"said","data":{"text":"hi"}}').message('{"topic":"said"}')
  t.strictSame(said, [{ text: 'hi' }, undefined])
  t.strictSame(lab.messages, [])
  remove()
  remove()
  lab.socket.message('{"topic":"said","data":1}')
  t.equal(said.length, 2)
  t.strictSame(lab.messages, ['{"topic":"said","data":1}'], 'nobody listens to this topic')
})

t.test('gives all other messages to the listeners of `message`', async (t) => {
  const lab = await openLab()
  lab.client.on('said', () => { t.fail('no topic was said') })
  const others = [
    'text', '', '{', '[1]', 'null', '{"topic":7}', '{"topic":["said"]}', '{"data":1}',
    '{"topic":"other","data":1}', '{"topic":"constructor"}', '{"topic":"__proto__"}', ' {"topic":"said"}'
  ]
  for (const text of others) lab.socket.message(text)
  const bytes = new TextEncoder().encode('{"topic":"said"}').buffer
  lab.socket.message(bytes)
  t.strictSame(lab.messages, [...others, bytes])
})

t.test('lets no topic of the server forge an event of the client', async (t) => {
  const lab = await openLab()
  lab.client.on('invalid' as 'message', () => { t.fail('only a control tells this') })
  for (const topic of ['state', 'reset', 'message', 'invalid']) {
    lab.socket.message(JSON.stringify({ topic, data: { state: 'closed', unsent: [] } }))
  }
  t.strictSame(lab.states.filter(({ state }) => state === 'closed'), [])
  t.strictSame(lab.resets, [])
  t.equal(lab.messages.length, 4)
})

t.test('calls the other listeners when one throws', async (t) => {
  const lab = await openLab()
  const failure = new Error('mine')
  const seen: string[] = []
  lab.client.on('said', () => { throw failure })
  lab.client.on('said', () => { seen.push('second') })
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  const uncaught: unknown[] = []
  process.once('uncaughtException', (error) => { uncaught.push(error) })
  lab.socket.message('{"topic":"said"}').message('next')
  await ticks()
  for (const listener of listeners) process.on('uncaughtException', listener)
  t.strictSame(uncaught, [failure])
  t.strictSame(seen, ['second'])
  t.strictSame(lab.messages, ['next'])
})

t.test('may be closed, and sent to, in a listener', async (t) => {
  const lab = await openLab()
  lab.client.on('reset', ({ unsent }) => { for (const data of unsent) lab.client.send(data) })
  lab.client.send('one')
  lab.socket.end()
  lab.client.send('two')
  await lab.retry()
  lab.socket.open().hello({ why: 'expired' })
  t.strictSame(lab.socket.takeSent(), ['\0a0', 'one', 'two', '\0p'])
  lab.client.on('state', ({ state }) => { if (state === 'open') lab.client.close() })
  lab.socket.end()
  await lab.retry()
  lab.socket.open().hello({ resumed: true })
  t.equal(lab.client.state, 'closed')
  t.strictSame(lab.socket.sent, ['\0a0'])
})

t.test('closes with a code and a reason, and hands out what may be lost', async (t) => {
  const lab = await openLab()
  lab.client.send('one')
  t.throws(() => { lab.client.close(1001) })
  t.equal(lab.client.state, 'open')
  lab.client.close(4000, 'bye')
  t.strictSame(lab.socket.closed, { code: 4000, reason: 'bye' })
  t.strictSame(lab.last, {
    state: 'closed', attempt: 0, code: 4000, reason: 'bye', unsent: ['one']
  })
  t.notOk(lab.client.send('two'))
  const plain = await plainLab()
  plain.client.close()
  t.strictSame(plain.socket.closed, { code: 1000, reason: '' })
})

t.test('does not connect when it is closed at once', async (t) => {
  const lab = await openLab()
  lab.client.close()
  const { length } = lab.world.sockets
  await lab.world.pass(100_000)
  t.equal(lab.world.sockets.length, length)
})

/** The messages of a loop, and its end. */
function loop (lab: Lab, most = Infinity): { seen: unknown[], ended: Promise<void> } {
  const seen: unknown[] = []
  const ended = (async () => {
    for await (const data of lab.client) {
      seen.push(data)
      if (seen.length === most) break
    }
  })()
  return { seen, ended }
}

t.test('loops over the messages until the client is closed', async (t) => {
  const lab = await openLab()
  const { seen, ended } = loop(lab)
  lab.socket.message('a').message('b')
  await ticks()
  t.strictSame(seen, ['a', 'b'])
  lab.socket.message('c').end()
  await ticks()
  lab.client.close()
  await ended
  t.strictSame(seen, ['a', 'b', 'c'])
  await loop(lab).ended
})

t.test('stops listening when a loop is left', async (t) => {
  const lab = await openLab({ queue: 3 })
  const { seen, ended } = loop(lab, 1)
  lab.socket.message('a')
  await ended
  lab.socket.message('more than three bytes')
  t.strictSame(seen, ['a'])
})

t.test('ends a loop with an error when too many bytes wait for it', async (t) => {
  const lab = await openLab({ queue: 3 })
  const { seen, ended } = loop(lab)
  lab.socket.message('ab').message('c')
  await ticks()
  t.strictSame(seen, ['ab', 'c'], 'as much as fits')
  lab.socket.message('ab').message('cd').message('e')
  await t.rejects(ended, { code: 'TOO_SLOW' })
  t.strictSame(seen, ['ab', 'c'])
})
