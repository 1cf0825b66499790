// When the client tries again, and for how long it waits.
import t from 'tap'
import { Lab, openLab, plainLab, ticks } from './fixtures/world.js'

const again = [1001, 1005, 1006, 1012, 1014, 1015]
const overload = [1011, 1013]
const never = [1000, 1002, 1003, 1007, 1008, 1009, 1010, 3000, 4000, 4999]

t.test('tries again after a loss, and not after an end on purpose', async (t) => {
  for (const code of [...again, ...overload]) {
    const lab = await openLab()
    lab.socket.end(code, 'why')
    t.match(lab.last, { state: 'away', code, reason: 'why', wait: 500 })
  }
  for (const code of never) {
    const lab = await openLab()
    lab.client.send('lost')
    lab.socket.end(code, 'why')
    t.strictSame(lab.last, {
      state: 'closed', attempt: 0, code, reason: 'why', unsent: ['lost']
    })
    t.notOk(lab.client.send('more'))
    t.equal(lab.world.pending, 0)
  }
})

t.test('waits at least 0.5 s after an error, and 5 s when it was too slow', async (t) => {
  const options = { backoff: { min: 10, max: 20_000 } }
  for (const [code, reason, wait] of [
    [1006, '', 10], [1011, '', 500], [1013, 'messages missed', 500], [1013, 'client too slow', 5000],
    [1011, 'client too slow', 5000]
  ] as const) {
    const lab = await openLab(options)
    lab.socket.end(code, reason)
    t.match(lab.last, { wait }, `${code} ${reason}`)
  }
})

t.test('waits min + random(0, min(max, min * 2^n))', async (t) => {
  const lab = await plainLab({ backoff: { min: 100, max: 1000 } })
  lab.world.chance = 1
  const waits: unknown[] = []
  for (let i = 0; i < 6; i++) {
    lab.socket.end()
    waits.push(lab.states.at(-1)!.wait)
    t.equal(lab.states.at(-1)!.attempt, i + 1)
    await lab.retry()
    lab.socket.open('')
  }
  t.strictSame(waits, [200, 300, 500, 900, 1100, 1100])
  lab.world.chance = 0
  lab.socket.end()
  t.match(lab.last, { wait: 100 })
})

t.test('waits longer each time with a `min` of 0', async (t) => {
  const lab = await plainLab({ backoff: { min: 0 } })
  lab.world.chance = 1
  for (const wait of [1, 2, 4]) {
    lab.socket.end()
    t.match(lab.last, { wait })
    await lab.retry()
    lab.socket.open('')
  }
})

t.test('starts the backoff again only after a stable connection', async (t) => {
  const lab = await plainLab({ stableAfter: 10_000 })
  for (const [time, attempt] of [[0, 1], [9999, 2], [10_000, 1]]) {
    await lab.world.pass(time)
    lab.socket.end()
    t.match(lab.last, { attempt })
    await lab.retry()
    lab.socket.open('')
  }
})

t.test('says `handshake` after three failed handshakes, and goes on at `max`', async (t) => {
  const lab = await openLab({ backoff: { min: 100, max: 5000 } })
  lab.world.chance = 1
  lab.socket.end()
  const away = (): object => ({ why: lab.states.at(-1)!.why, wait: lab.states.at(-1)!.wait })
  const seen: object[] = []
  for (let i = 0; i < 4; i++) {
    seen.push(away())
    await lab.retry()
    lab.socket.end()
  }
  seen.push(away())
  const why = 'handshake'
  t.strictSame(seen, [
    { why: undefined, wait: 200 },
    { why: undefined, wait: 300 },
    { why: undefined, wait: 500 },
    { why, wait: 5100 },
    { why, wait: 5100 }
  ])
  await lab.retry()
  lab.socket.open().end(1001)
  t.equal(lab.states.at(-1)!.why, undefined, 'this handshake succeeded')
})

t.test('lets the option `reconnect` decide', async (t) => {
  const calls: unknown[][] = []
  let answer: boolean | number = 1234
  const lab = await openLab({
    reconnect: (...args) => {
      calls.push(args)
      return answer
    }
  })
  lab.socket.end(4000, 'why')
  t.match(lab.last, { state: 'away', wait: 1234 })
  await lab.retry()
  answer = true
  lab.socket.end()
  t.match(lab.last, { state: 'away', wait: 500 })
  await lab.retry()
  answer = false
  lab.socket.end()
  t.match(lab.last, { state: 'closed', code: 1006 })
  const reason = ''
  t.strictSame(calls, [
    [{ code: 4000, reason: 'why' }, 1], [{ code: 1006, reason }, 2], [{ code: 1006, reason }, 3]
  ])
})

t.test('takes the default when the option `reconnect` throws', async (t) => {
  const failure = new Error('mine')
  const lab = await openLab({ reconnect: () => { throw failure } })
  const uncaught = t.captureFn((error: unknown) => { t.equal(error, failure) })
  const listeners = process.listeners('uncaughtException')
  process.removeAllListeners('uncaughtException')
  process.once('uncaughtException', uncaught)
  lab.socket.end()
  t.match(lab.last, { state: 'away' })
  await ticks()
  for (const listener of listeners) process.on('uncaughtException', listener)
  t.equal(uncaught.calls.length, 1)
})

t.test('fails a try after `timeout`', async (t) => {
  const lab = new Lab({ timeout: 700 })
  await ticks()
  await lab.world.pass(699)
  t.equal(lab.client.state, 'connecting')
  await lab.world.pass(1)
  t.match(lab.last, { state: 'away', code: 1006, reason: 'timeout' })
  t.ok(lab.socket.closed)
})

t.test('asks for a URL before each try', async (t) => {
  let n = 0
  const lab = new Lab({}, async () => `https://example.org/ws?ticket=${++n}`)
  await ticks()
  t.equal(lab.socket.url, 'wss://example.org/ws?ticket=1')
  lab.socket.end()
  await lab.retry()
  t.equal(lab.socket.url, 'wss://example.org/ws?ticket=2')
  const plain = new Lab({}, () => 'ws://127.0.0.1:1/x')
  await ticks()
  t.equal(plain.socket.url, 'ws://127.0.0.1:1/x')
})

t.test('tries again when there is no URL, or no socket for it', async (t) => {
  const failure = new Error('no ticket')
  const answers = [
    async () => { throw failure },
    () => { throw failure },
    () => 'no URL:'.slice(3)
  ]
  let n = 0
  const lab = new Lab({}, () => answers[n++]())
  await ticks()
  for (const error of [failure, failure]) {
    const { state, why, error: told, wait } = lab.states.at(-1)!
    t.match({ state, why }, { state: 'away', why: 'url' })
    t.equal(told, error)
    await lab.world.pass(wait!)
  }
  t.equal(lab.states.at(-1)!.why, undefined)
  t.equal(lab.world.sockets.length, 1)
  const bad = new Lab({ WebSocket: class { constructor () { throw failure } } as never })
  await ticks()
  t.match(bad.states.at(-1), { state: 'away', why: 'url', error: failure })
})

t.test('uses no URL that comes too late', async (t) => {
  let resolve = (_url: string): void => {}
  let reject = (_error: Error): void => {}
  const url = async (): Promise<string> =>
    await new Promise((...both) => { [resolve, reject] = both })
  const lab = new Lab({}, url)
  await ticks()
  await lab.world.pass(10_000)
  t.match(lab.last, { state: 'away', reason: 'timeout' })
  resolve('ws://example.org/')
  await ticks()
  t.equal(lab.world.sockets.length, 0)
  await lab.retry()
  lab.client.close()
  reject(new Error('late'))
  await ticks()
  t.strictSame(lab.takeStates(), ['connecting', 'away', 'connecting', 'closed'])
})

t.test('refuses options and URLs that cannot be', async (t) => {
  for (const options of [
    { timeout: -1 }, { queue: 1.5 }, { stableAfter: NaN }, { backoff: { min: 2 ** 31 } },
    { backoff: { max: '1s' as never } }
  ]) {
    t.throws(() => new Lab(options), { code: 'INVALID_OPTIONS' }, JSON.stringify(options))
  }
  t.throws(() => new Lab({ timeout: -1 }), { message: 'INVALID_OPTIONS: timeout' })
  t.throws(() => new Lab({}, 'http://'), TypeError)
})

t.test('tries again when a failed handshake has an error only, as in Node 22', async (t) => {
  const lab = await plainLab()
  lab.socket.end()
  await lab.retry()
  lab.socket.fail()
  t.match(lab.last, { state: 'away', attempt: 2, code: 1006, reason: '' })
  await lab.retry()
  lab.socket.open('')
  t.match(lab.last, { state: 'open' })
})

t.test('takes the code 0 for 1006, as Deno tells an end without a close frame', async (t) => {
  const lab = await openLab()
  lab.socket.end(0)
  t.match(lab.last, { state: 'away', code: 1006 })
})
