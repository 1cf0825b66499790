// Processes with keys on one node: starts, addresses, limits.
import t from 'tap'
import { addressOf, checkKey, checkKind, isKeyAddress, splitAddress } from '../../../lib/process/keyed/address.js'
import { deferred, held } from '../helpers.js'
import { House, slow } from './rooms.js'
import type { Pid } from '../../../types/pid.js'

t.test('starts one process for 1 000 first requests', async (t) => {
  const house = new House()
  const { body, go } = slow()
  house.body = body
  const asked = Array.from({ length: 500 }, () => house.keyed.get('a'))
  const calls = Array.from({ length: 250 }, () => {
    return house.processes.call(house.keyed.key('a'), 'ask')
  })
  const sent = Array.from({ length: 250 }, () => house.send('tell'))
  await house.settle()
  t.equal(house.rooms.length, 1)
  t.ok(sent.every((accepted) => accepted))
  go()
  await house.settle()
  t.same(new Set(await Promise.all(asked)), new Set([house.rooms[0].pid]))
  t.ok((await Promise.all(calls)).every((answer) => answer === 'a'))
  t.equal(house.rooms[0].topics.length, 500)
  t.same(house.stats, { alive: 1, started: 1, crashed: 0, refused: 0 })
})

t.test('has a process for each key, and keeps the order of messages', async (t) => {
  const house = new House()
  for (const topic of ['one', 'two']) for (const key of ['a', 'b/c', '日本']) house.send(topic, key)
  await house.settle()
  t.same(house.rooms.map(({ key }) => key), ['a', 'b/c', '日本'])
  t.same(house.topics, ['one,two', 'one,two', 'one,two'])
  t.same(house.keyed.list(), ['a', 'b/c', '日本'])
})

t.test('refuses a message for a full mailbox, and keeps those before', async (t) => {
  const house = new House({}, 2)
  const { body, go } = slow()
  house.body = body
  t.strictSame(['one', 'two', 'three'].map((topic) => house.send(topic)), [true, true, false])
  await house.settle()
  t.equal(house.send('four'), false)
  go()
  await house.settle()
  t.same(house.topics, ['one,two'])
})

t.test('starts nothing for questions about a key', async (t) => {
  const house = new House()
  const { processes, keyed } = house
  const to = keyed.key('a')
  const asker = processes.spawn(async (self) => {
    self.monitor(to)
    self.link(to)
    const { payload } = await self.receive({ topic: '@exit' })
    t.match(payload, { pid: to, reason: 'noproc' })
  })
  await house.settle()
  t.equal(processes.alive(asker), false, 'a link with a dead process ends it')
  t.equal(processes.alive(to), false)
  t.equal(processes.info(to), undefined)
  t.equal(processes.exit(to), false)
  t.equal(processes.cancel(to), false)
  t.equal(processes.names.lookup(to), undefined)
  t.equal(keyed.peek('a'), undefined)
  t.same(keyed.list(), [])
  t.match(await processes.exited(to), { reason: 'noproc' })
  await keyed.stop('a')
  t.equal(house.rooms.length, 0)
})

t.test('answers questions about a key that has a process', async (t) => {
  const house = new House()
  const { processes, keyed } = house
  const to = keyed.key('a')
  const pid = await Promise.all([keyed.get('a'), house.settle()]).then(([pid]) => pid)
  t.equal(keyed.peek('a'), pid)
  t.equal(processes.alive(to), true)
  t.equal(processes.names.lookup(to), pid)
  t.match(processes.info(to), { pid, label: '@room/a', names: ['@room/a'] })
  t.equal(processes.names.unregister(to), false, 'the name belongs to its process')
  t.throws(() => { processes.names.register(to, pid) }, { code: 'FST_PROCESS_INVALID_NAME' })
  processes.names.register('other', to)
  t.equal(processes.names.lookup('other'), pid)
  const exited = processes.exited(to)
  t.equal(processes.exit(to, 'enough'), true)
  t.match(await exited, { pid, reason: 'enough' })
  t.equal(processes.names.lookup('other'), undefined)
})

t.test('keeps the other names of a process that is told to stop', async (t) => {
  const house = new House()
  house.body = async (self, key, room) => {
    await House.serve(self, key, room)
    t.equal(house.processes.names.lookup('other'), self.pid)
    t.equal(house.keyed.peek('a'), undefined)
  }
  house.send('one')
  await house.settle()
  house.processes.names.register('other', house.rooms[0].pid)
  house.send('stop')
  await house.settle()
  t.equal(house.processes.alive(house.rooms[0].pid), false)
})

t.test('fails a start when the body ends before it asks for mail', async (t) => {
  const house = new House({ maxRestarts: 10 })
  const failing = slow()
  house.body = failing.body
  const asked = house.keyed.get('a')
  const call = house.processes.call(house.keyed.key('a'), 'ask')
  house.send('one')
  const { deadLetters } = house.processes.stats()
  await house.settle()
  const boom = new Error('boom')
  failing.fail(boom)
  await t.rejects(asked, boom)
  await t.rejects(call, boom)
  t.equal(house.processes.stats().deadLetters - deadLetters, 2)
  house.body = () => {}
  const [again, more] = [house.keyed.get('a'), house.processes.call(house.keyed.key('a'), 'ask')]
  await house.settle()
  await t.rejects(again, { code: 'FST_PROCESS_NOT_ALIVE' })
  await t.rejects(more, { code: 'FST_PROCESS_NOT_ALIVE' })
  t.equal(house.rooms.length, 2, 'the next request tries again')
  t.match(house.stats, { alive: 0, started: 2, crashed: 2 })
})

t.test('rejects a call of a process that fails after its start as any other', async (t) => {
  const house = new House()
  const call = house.processes.call(house.keyed.key('a'), 'crash')
  await house.settle()
  await t.rejects(call, { code: 'FST_PROCESS_CALL_FAILED' })
})

t.test('fails a start whose args throw', async (t) => {
  const house = new House()
  const kind = house.processes.keyed('other', {
    start: (self, size: number) => self.serve({}, () => { t.equal(size, 1) }),
    args: (key) => {
      if (key === 'bad') throw new Error('no such key')
      return [1]
    }
  })
  const bad = kind.get('bad')
  const good = kind.get('good')
  await house.settle()
  await t.rejects(bad, /no such key/)
  t.equal(house.processes.alive(await good), true)
})

t.test('fails a start whose args return no array', async (t) => {
  const house = new House()
  for (const [i, made] of ['abc', undefined, {}, Promise.resolve([1])].entries()) {
    const args = (): never => made as never
    const kind = house.processes.keyed(`other${i}`, { start: (self) => self.serve({}), args })
    const asked = kind.get('a')
    await house.settle()
    await t.rejects(asked, { code: 'FST_PROCESS_INVALID_SPEC', message: /'args'.*array/ })
  }
})

for (const [what, ask] of [
  ['receive', async (self: any) => { await self.receive() }],
  ['inbox', async (self: any) => { await self.inbox[Symbol.asyncIterator]().next() }],
  ['serve', (self: any) => self.serve({})]
] as const) {
  t.test(`counts a start as done when the body asks for mail by ${what}`, async (t) => {
    const house = new House()
    house.body = ask
    const asked = house.keyed.get('a')
    await house.settle()
    t.equal(await asked, house.rooms[0].pid)
    t.equal(await house.keyed.get('a'), house.rooms[0].pid)
  })
}

t.test('starts at most max processes, and counts those that clean up', async (t) => {
  const house = new House({ max: 2 })
  const { promise, resolve } = deferred()
  house.body = async (self, key, room) => {
    await House.serve(self, key, room)
    await promise
  }
  t.equal(house.send('one', 'a'), true)
  t.equal(house.send('stop', 'b'), true)
  await house.settle()
  t.equal(house.send('one', 'c'), false)
  await t.rejects(house.keyed.get('c'), { code: 'FST_PROCESS_TOO_MANY', statusCode: 503 })
  await t.rejects(house.processes.call(house.keyed.key('c'), 'ask'), {
    code: 'FST_PROCESS_TOO_MANY'
  })
  t.equal(house.send('two', 'a'), true)
  t.match(house.stats, { alive: 2, refused: 3 })
  resolve()
  await house.settle()
  t.equal(house.send('one', 'c'), true)
  t.equal(house.runtime.kinds.size > 0, true)
})

t.test('refuses hostile keys and kinds', async (t) => {
  const { keyed, processes } = new House()
  const bad: unknown[] = [
    '', 'a\u0000', 'a\nb', '\ud800', 'x'.repeat(257), 'é'.repeat(129), 5, null, undefined, {}, ['a']
  ]
  for (const key of bad) {
    t.throws(() => { keyed.key(key as string) }, { code: 'FST_PROCESS_INVALID_NAME' })
    await t.rejects(keyed.get(key as string), { code: 'FST_PROCESS_INVALID_NAME' })
    t.throws(() => { checkKey(key) }, { code: 'FST_PROCESS_INVALID_NAME' })
    t.equal(keyed.peek(key as string), undefined)
  }
  for (const kind of ['', 'cluster', 'a/b', 'a b', 'é', 'x'.repeat(65), 5, undefined]) {
    t.throws(() => { checkKind(kind) }, { code: 'FST_PROCESS_INVALID_NAME' })
    t.throws(() => { processes.keyed(kind as string, { start: () => {} }) })
  }
  t.throws(() => { processes.keyed('room', { start: () => {} }) }, /defined already/)
  for (const key of ['x'.repeat(256), '日'.repeat(85), '@a/b', '/', '__proto__', 'constructor', ' ']) {
    t.equal(keyed.key(key), `@room/${key}`)
    t.same(splitAddress(`@room/${key}`), { kind: 'room', key })
  }
  for (const address of ['@', '@/', '@room', '@room/', '@/a', '@a b/c', '@cluster/a', 'room/a', '']) {
    t.equal(isKeyAddress(address), false, address)
    t.equal(processes.send(address, 'one'), false)
  }
  t.equal(isKeyAddress(addressOf('room', 'a')), true)
  t.equal(isKeyAddress(5), false)
})

t.test('treats a key of an unknown kind as dead', async (t) => {
  const { processes } = new House()
  const to = '@other/a' as Pid
  t.equal(processes.send(to, 'one'), false)
  await t.rejects(processes.call(to, 'one'), { code: 'FST_PROCESS_NOT_ALIVE' })
  t.match(await processes.exited(to), { reason: 'noproc' })
})

t.test('checks the options', async (t) => {
  const { processes } = new House()
  const start = (): void => {}
  for (const [options, text] of [
    [{}, /'start'/], [{ start: 'room' }, /'start'/], [{ start, args: [] }, /'args'/],
    [{ start, max: 0 }, /'max'/], [{ start, idle: 'soon' }, /'idle'/], [{ start, idle: -1 }, /'idle'/],
    [{ start, park: '6m' }, /'park'/], [{ start, maxRestarts: -1 }, /'maxRestarts'/],
    [{ start, period: 0 }, /'period'/], [{ start, backoff: 5 }, /backoff/],
    [{ start, plase: 'here' }, /'plase'/], [{ start, place: 'there' }, /'place'/], [undefined, /an object/]
  ] as Array<[any, RegExp]>) {
    t.throws(() => { processes.keyed('kind', options) }, { code: 'FST_PROCESS_INVALID_SPEC', message: text })
  }
})

t.test('starts nothing when the system closes, or has not joined its cluster', async (t) => {
  const house = new House()
  house.runtime.clusterAccess.joining = true
  t.equal(house.send('one'), false)
  house.runtime.clusterAccess.joining = false
  house.send('one')
  await house.settle()
  const closed = house.runtime.shutdown.close(100)
  t.equal(house.send('one', 'b'), false)
  await t.rejects(house.keyed.get('b'), { code: 'FST_PROCESS_CLOSING' })
  await house.settle()
  await closed
  t.equal(house.runtime.kinds.size, 0)
})

t.test('keeps nothing of dead keys', async (t) => {
  const house = new House({ idle: '1s', period: '2s' })
  const before = held(house.runtime)
  for (let i = 0; i < 100; i++) {
    house.send('one', `idle ${i}`)
    house.send('stop', `stopped ${i}`)
    house.send('crash', `failed ${i}`)
    house.body = () => {}
    house.keyed.get(`unstarted ${i}`).catch(() => {})
    await house.settle()
    house.body = House.serve
  }
  t.ok(house.runtime.kinds.size > 100)
  await house.advance(1100)
  await house.advance(2000)
  t.same(held(house.runtime), before)
  t.equal(house.runtime.kinds.size, 0)
  t.equal(house.clock.runningTimers, 0)
})
