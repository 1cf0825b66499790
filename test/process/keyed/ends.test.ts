// The end of a process with a key, and the start of the next one.
import t from 'tap'
import { deferred } from '../helpers.js'
import { busy, cleaningHouse, House, slow } from './rooms.js'

t.test('stops a process without mail after idle', async (t) => {
  const house = new House({ idle: '1s' })
  house.send('one')
  await house.settle()
  await house.advance(900)
  house.send('two')
  await house.settle()
  await house.advance(900)
  t.same(house.keyed.list(), ['a'], 'mail begins the time anew')
  await house.advance(200)
  t.same(house.keyed.list(), [])
  t.same(house.processes.stats().exited, { normal: 1 })
  house.send('three')
  await house.settle()
  t.same(house.topics, ['one,two', 'three'])
})

t.test('does not stop a process that has mail, or is busy', async (t) => {
  const house = new House({ idle: '1s' })
  const { promise, resolve } = deferred()
  house.body = async (self) => {
    await self.receive()
    await promise
    await self.receive({ topic: 'end' })
  }
  house.send('one')
  await house.settle()
  await house.advance(5000)
  t.same(house.keyed.list(), ['a'], 'its code runs')
  house.send('other')
  resolve()
  await house.settle()
  await house.advance(5000)
  t.same(house.keyed.list(), ['a'], 'it has mail')
  house.send('end')
  await house.settle()
  t.same(house.keyed.list(), [])
})

t.test('never stops a process with idle 0', async (t) => {
  const house = new House({ idle: 0 })
  house.send('one')
  await house.settle()
  await house.advance(1e9)
  t.same(house.keyed.list(), ['a'])
})

t.test('starts the next process when the last message of the old one is handled', async (t) => {
  const house = new House()
  const handling = deferred()
  const cleanUp = deferred()
  house.body = async (self, key, room) => {
    await self.serve({
      slow: async () => {
        room.topics.push('slow')
        await handling.promise
      },
      last: () => { room.topics.push('last') }
    }, ({ topic }: any) => { room.topics.push(topic) })
    await cleanUp.promise
  }
  house.send('slow')
  house.send('last')
  await house.settle()
  const [{ pid }] = house.rooms
  house.processes.cancel(pid)
  t.equal(house.send('next'), true)
  const asked = house.keyed.get('a')
  await house.settle()
  t.equal(house.rooms.length, 1, 'the old one still takes mail')
  t.not(house.keyed.peek('a'), pid)
  handling.resolve()
  await house.settle()
  t.same(house.topics, ['slow,last,@cancel', 'next'])
  t.equal(house.processes.alive(pid), true, 'it cleans up')
  t.equal(await asked, house.rooms[1].pid)
  cleanUp.resolve()
  await house.settle()
  t.equal(house.processes.alive(pid), false)
  t.same(house.keyed.list(), ['a'])
})

t.test('starts the next process when a receive of the old one is told to stop', async (t) => {
  const house = new House()
  const cleanUp = deferred()
  house.body = async (self, key, room) => {
    room.topics.push((await self.receive()).topic)
    const rest = await self.receive({ topic: 'none' }).catch(() => 'told')
    room.topics.push(rest as string)
    if (house.rooms.length === 1) {
      for await (const { topic } of self.inbox as AsyncIterable<{ topic: string }>) {
        room.topics.push(topic)
      }
    }
    await cleanUp.promise
  }
  for (const topic of ['one', 'two']) house.send(topic)
  await house.settle()
  house.processes.cancel(house.rooms[0].pid)
  house.send('three')
  await house.settle()
  t.same(house.topics, ['one,told,two,@cancel', 'three'], 'mail of other topics was left')
  cleanUp.resolve()
})

t.test('starts the next process when a body stops between its receives', async (t) => {
  const house = new House()
  const working = deferred()
  house.body = async (self, key, room) => {
    room.topics.push((await self.receive()).topic)
    if (house.rooms.length > 1) return
    await working.promise
    await self.receive().catch(() => {})
    await self.receive()
  }
  house.send('one')
  await house.settle()
  house.processes.cancel(house.rooms[0].pid)
  house.send('two')
  await house.settle()
  t.equal(house.rooms.length, 1)
  working.resolve()
  await house.settle()
  t.same(house.topics, ['one', 'two'])
})

t.test('starts the next process after a failed handler, while the old one cleans up', async (t) => {
  const { house, cleanUp } = await cleaningHouse()
  t.same(house.topics, ['crash', 'next'])
  t.match(house.stats, { alive: 2, crashed: 1 })
  cleanUp()
  await house.settle()
  t.match(house.stats, { alive: 1, crashed: 1 })
})

t.test('keeps a queue of instances when the next one is cancelled, too', async (t) => {
  const house = new House()
  const { body, finish } = busy()
  house.body = body
  house.send('slow')
  await house.settle()
  house.processes.cancel(house.rooms[0].pid)
  house.send('lost')
  const asked = house.keyed.get('a')
  house.processes.cancel(house.keyed.key('a'))
  await t.rejects(asked, { code: 'FST_PROCESS_NOT_ALIVE' })
  house.send('next')
  await house.settle()
  t.equal(house.rooms.length, 1)
  finish()
  await house.settle()
  t.same(house.topics, ['slow,@cancel', 'next'], 'one that was held has no code to run')
  t.match(house.stats, { alive: 1, started: 3, crashed: 0 })
})

t.test('stops a key, and waits for its clean-up', async (t) => {
  const house = new House()
  const cleanUp = deferred()
  house.body = async (self, key, room) => {
    await House.serve(self, key, room)
    await cleanUp.promise
  }
  house.send('one')
  await house.settle()
  let stopped = false
  const stop = house.keyed.stop('a').then(() => { stopped = true })
  await house.settle()
  t.equal(stopped, false)
  cleanUp.resolve()
  await stop
  t.same(house.processes.stats().exited, { shutdown: 1 })
  t.equal(house.clock.runningTimers, 0)
})

t.test('stops both processes of a key, the one that finishes its mail and the next', async (t) => {
  const house = new House()
  const handling = deferred()
  house.body = async (self) => {
    await self.serve({}, () => handling.promise)
  }
  house.send('slow')
  await house.settle()
  house.processes.cancel(house.keyed.key('a'))
  house.send('next')
  let stopped = false
  const stop = house.keyed.stop('a').then(() => { stopped = true })
  await house.settle()
  t.match(house.stats, { alive: 1 }, 'the next one has no code to run')
  t.equal(stopped, false)
  handling.resolve()
  await house.settle()
  t.equal(stopped, true)
  await stop
  t.match(house.stats, { alive: 0, started: 2 })
  t.equal(house.clock.runningTimers, 0)
})

t.test('ends a process that does not stop within 5 s', async (t) => {
  const house = new House()
  house.body = async (self) => {
    await self.receive()
    await new Promise(() => {})
  }
  house.send('one')
  await house.settle()
  const stop = house.keyed.stop('a')
  await house.settle()
  await house.advance(5100)
  await stop
  t.equal(house.processes.list().length, 0)
})

t.test('refuses a key that fails too often, until period is over', async (t) => {
  const house = new House({ maxRestarts: 2, period: '4s' })
  for (let i = 0; i < 3; i++) {
    t.equal(house.send('crash'), true)
    await house.settle()
  }
  t.equal(house.send('one'), false)
  await t.rejects(house.keyed.get('a'), { code: 'FST_PROCESS_REFUSED', statusCode: 503 })
  t.equal(house.send('one', 'b'), true, 'other keys are not touched')
  const refusals = house.lines.filter(({ args }) => 'relayKey' in (args[0] as object))
  t.same(refusals, [{
    level: 'error',
    args: [{ relayKey: '@room/a', period: 4000 }, 'a key has failed too often: it is refused']
  }])
  await house.advance(3900)
  t.equal(house.send('one'), false)
  await house.advance(200)
  t.equal(house.send('one'), true)
  await house.settle()
  t.same(house.keyed.list().sort(), ['a', 'b'])
})

t.test('counts failed starts as failures', async (t) => {
  const house = new House({ maxRestarts: 0 })
  house.body = () => { throw new Error('boom') }
  const asked = house.keyed.get('a')
  await house.settle()
  await t.rejects(asked, /boom/)
  await t.rejects(house.keyed.get('a'), { code: 'FST_PROCESS_REFUSED' })
})

t.test('does not count ends in order', async (t) => {
  const house = new House({ maxRestarts: 0 })
  for (let i = 0; i < 5; i++) {
    house.send('stop')
    await house.settle()
    house.send('one')
    await house.settle()
    house.processes.cancel(house.keyed.key('a'), 'enough')
    await house.settle()
  }
  t.match(house.stats, { alive: 0, started: 10, crashed: 0, refused: 0 })
})

t.test('delays the start after a failure', async (t) => {
  const backoff = { initial: '100ms', max: '1s', jitter: 0 }
  const house = new House({ maxRestarts: 1, period: '2s', backoff })
  house.send('crash')
  await house.settle()
  house.send('one')
  house.send('two')
  const asked = house.keyed.get('a')
  await house.settle()
  t.equal(house.rooms.length, 1)
  await house.advance(90)
  t.equal(house.rooms.length, 1)
  await house.advance(20)
  t.same(house.topics, ['crash', 'one,two'])
  t.equal(await asked, house.rooms[1].pid)
  await house.advance(1000)
  house.send('crash')
  await house.settle()
  t.equal(house.send('one'), false, 'within the period')
})

t.test('does not count the time of a delay', async (t) => {
  const backoff = { initial: '10s', max: '10s', jitter: 0 }
  const house = new House({ maxRestarts: 1, period: '2s', backoff })
  house.send('crash')
  await house.settle()
  house.send('crash')
  await house.advance(10_100)
  t.equal(house.send('one'), false, 'two failures within 2 s of running time')
})

t.test('starts at once when the delay is over without a request', async (t) => {
  const backoff = { initial: '100ms', max: '1s', jitter: 0 }
  const house = new House({ backoff, idle: 0 })
  house.send('crash')
  await house.settle()
  await house.advance(200)
  t.equal(house.rooms.length, 1)
  house.send('one')
  await house.settle()
  t.same(house.topics, ['crash', 'one'])
  await house.advance(100_000)
  house.send('stop')
  await house.settle()
  t.equal(house.runtime.kinds.size, 0, 'the failure is forgotten')
})

t.test('forgets a delayed process that is ended', async (t) => {
  const backoff = { initial: '100ms', max: '1s', jitter: 0 }
  const house = new House({ backoff, period: '1s' })
  house.send('crash')
  await house.settle()
  house.send('one')
  house.processes.exit(house.keyed.key('a'))
  await house.advance(200)
  t.equal(house.rooms.length, 1)
  await house.advance(5000)
  t.equal(house.runtime.kinds.size, 0)
})

t.test('does not mistake an older key of the same name for the present one', async (t) => {
  const house = new House()
  const cleanUp = slow()
  house.body = async (self, key, room) => {
    await House.serve(self, key, room)
    if (house.rooms.length === 1) await new Promise<void>((resolve) => { cleanUp.go = resolve })
  }
  house.send('stop')
  await house.settle()
  house.send('one')
  await house.settle()
  house.send('stop')
  await house.settle()
  house.send('two')
  await house.settle()
  cleanUp.go()
  await house.settle()
  t.same(house.keyed.list(), ['a'])
  t.match(house.stats, { alive: 1, started: 3 })
})
