// The search for the process of a key in a cluster, with a directory that the test answers.
import t from 'tap'
import { held } from '../helpers.js'
import { busy } from './rooms.js'
import { here, pid, Suburb, there, third } from './suburb.js'

const start = { do: 'start', address: '@room/a' }

t.test('starts the process when this node is the place of the key', async (t) => {
  const house = new Suburb({ idle: '1s' })
  const before = held(house.runtime)
  t.equal(house.send('one'), true)
  t.equal(house.send('two'), true)
  t.equal(house.keyed.peek('a'), undefined, 'nothing is known before')
  t.same(house.processes.list(), [])
  const asked = house.keyed.get('a')
  const call = house.processes.call(house.keyed.key('a'), 'ask')
  await house.settle()
  t.same(house.topics, ['one,two,ask'])
  t.equal(await asked, house.rooms[0].pid)
  t.equal(await call, 'a')
  house.send('stop')
  await house.settle()
  t.same(house.log, ['claim', 'release @room/a'])
  t.same(held(house.runtime), before)
  t.equal(house.runtime.kinds.size, 0)
  t.equal(house.clock.runningTimers, 0)
})

t.test('keeps the place of a key for its successors', async (t) => {
  const house = new Suburb({ period: '2s' })
  house.send('crash')
  await house.settle()
  house.send('one')
  await house.settle()
  t.same(house.log, ['claim'])
  t.same(house.topics, ['crash', 'one'])
  house.send('stop')
  await house.settle()
  t.same(house.log, ['claim'], 'its failures are counted here')
  await house.advance(2100)
  t.same(house.log, ['claim', 'release @room/a'])
})

t.test('hands everything that waits to the process on another node', async (t) => {
  const house = new Suburb()
  house.steps = [there]
  house.send('one')
  const asked = house.keyed.get('a')
  const call = house.processes.call(house.keyed.key('a'), 'ask')
  await house.settle()
  t.match(house.asked, [{ node: there, request: start }])
  t.equal(house.send('two'), true)
  await house.told({ pid })
  t.same(house.sent.map(({ to, topic }) => `${topic} ${to}`), [
    'one 7@b.1', 'ask 7@b.1', 'two 7@b.1'
  ])
  t.equal(await asked, pid)
  house.sent[1].call!.reply('yes')
  t.equal(await call, 'yes')
  t.equal(house.keyed.peek('a'), pid)
  t.same(house.keyed.list(), [], 'the keys of this node')
  t.equal(await house.keyed.get('a'), pid)
  t.equal(house.send('three'), true)
  t.same(house.log, ['claim'], 'it is known now')
  t.match(house.asked.at(-1), { node: there, request: { do: 'watch', pid } })
  await house.told({})
  t.equal(house.keyed.peek('a'), undefined)
  t.equal(house.runtime.kinds.size, 0)
})

t.test('forgets a process when its node is lost', async (t) => {
  const house = new Suburb()
  house.steps = [there, undefined]
  house.send('one')
  await house.settle()
  await house.told({ pid })
  await house.told(new Error('lost'))
  t.equal(house.runtime.kinds.size, 0)
  house.send('two')
  await house.settle()
  t.same(house.topics, ['two'])
})

t.test('tells all that wait why no process was found', async (t) => {
  const house = new Suburb()
  house.steps = [there]
  house.send('one')
  const asked = house.keyed.get('a')
  const call = house.processes.call(house.keyed.key('a'), 'ask')
  await house.settle()
  await house.told(new Error('boom'))
  await t.rejects(asked, /boom/)
  await t.rejects(call, /boom/)
  t.equal(house.processes.stats().deadLettersBy.none, 1)
  t.equal(house.runtime.kinds.size, 0)
  t.equal(house.clock.runningTimers, 0)
  house.steps = [new Error('no engine')]
  await t.rejects(Promise.all([house.keyed.get('a'), house.settle()]), /no engine/)
})

t.test('gives the reason of another node that starts nothing', async (t) => {
  for (const [problem, code] of [
    ['too many of its kind', 'FST_PROCESS_TOO_MANY'],
    ['it has failed too often', 'FST_PROCESS_REFUSED'],
    ['nothing can start now', 'FST_PROCESS_CLOSING']
  ]) {
    const house = new Suburb()
    house.steps = [there]
    const asked = house.keyed.get('a')
    await house.settle()
    await house.told({ problem })
    await t.rejects(asked, { code })
    t.match(house.stats, { refused: 1 })
  }
})

t.test('asks the node that another one names', async (t) => {
  const house = new Suburb()
  house.steps = [there, there, undefined]
  house.send('one')
  await house.settle()
  await house.told({ node: third })
  t.same(house.asked.map(({ node }) => node), [there, third])
  await house.told({ node: here })
  t.same(house.log, ['claim', 'claim'])
  await house.told(undefined)
  t.same(house.log, ['claim', 'claim', 'claim'], 'that node does not know the kind')
  t.same(house.topics, ['one'])
})

t.test('takes no PID of a third node, and gives up when nodes disagree', async (t) => {
  const house = new Suburb()
  house.steps = [there]
  const asked = house.keyed.get('a')
  await house.settle()
  await house.told({ pid: '7@c.1' })
  for (let i = 0; i < 7; i++) await house.told({ node: there })
  await t.rejects(asked, { code: 'FST_CLUSTER_UNAVAILABLE' })
  t.equal(house.asked.length, 8)
})

t.test('spreads keys over the nodes that know the kind', async (t) => {
  const house = new Suburb({ place: 'spread' })
  house.hash = [there, third, undefined]
  house.send('one')
  await house.settle()
  await house.told({})
  t.same(house.asked.map(({ node }) => node), [there, third])
  await house.told({})
  t.same(house.log, ['claim'])
  t.same(house.topics, ['one'])
})

t.test('limits the mail that waits', async (t) => {
  const house = new Suburb({}, 2)
  house.steps = [there]
  t.strictSame(['one', 'two', 'three'].map((topic) => house.send(topic)), [true, true, false])
  await t.rejects(house.processes.call(house.keyed.key('a'), 'ask'), {
    code: 'FST_PROCESS_REFUSED'
  })
  t.equal(house.processes.stats().refusedBy.full, 2)
})

t.test('does not ask itself when the register still has this node as the place', async (t) => {
  const house = new Suburb({ max: 1, idle: 0 })
  house.send('one', 'b')
  await house.settle()
  house.steps = [here]
  const refused = house.keyed.get('a')
  await house.settle()
  await t.rejects(refused, { code: 'FST_PROCESS_TOO_MANY' })
  t.same(house.asked, [])
})

t.test('only looks for a process when this node has too many', async (t) => {
  const house = new Suburb({ max: 1, idle: 0 })
  house.send('one', 'b')
  await house.settle()
  const refused = house.keyed.get('a')
  await house.settle()
  await t.rejects(refused, { code: 'FST_PROCESS_TOO_MANY' })
  house.steps = [there]
  const found = house.keyed.get('a')
  await house.settle()
  await house.told({ pid })
  t.equal(await found, pid)
  t.same(house.log, ['claim', 'lookup', 'lookup'])
})

t.test('gives the place up when too many have started meanwhile', async (t) => {
  const house = new Suburb({ max: 1 })
  const asked = [house.keyed.get('a'), house.keyed.get('b')]
  const results = Promise.allSettled(asked)
  await house.settle()
  t.match(await results, [
    { status: 'fulfilled' }, { status: 'rejected', reason: { code: 'FST_PROCESS_TOO_MANY' } }
  ])
  t.same(house.log, ['claim', 'claim', 'release @room/b'])
})

t.test('starts nothing while the node closes', async (t) => {
  const house = new Suburb()
  const closed = house.runtime.shutdown.close(100)
  t.equal(house.send('one'), false)
  await t.rejects(house.keyed.get('a'), { code: 'FST_PROCESS_CLOSING' })
  t.same(house.answer(start).said, [{ problem: 'nothing can start now' }])
  await house.settle()
  await closed
  t.same(house.log, [])
  t.equal(house.runtime.kinds.size, 0)
})

t.test('ends its processes when the node is not the place any more', async (t) => {
  const house = new Suburb({ maxRestarts: 0 })
  const { body, finish } = busy()
  house.body = body
  house.send('slow')
  await house.settle()
  house.processes.cancel(house.keyed.key('a'))
  house.send('next')
  house.runtime.kinds.placeLost('@room/b')
  house.runtime.kinds.placeLost('@room/a')
  await house.settle()
  t.same(house.processes.stats().exited, { name_lost: 2 })
  t.match(house.stats, { alive: 0, crashed: 0 })
  t.equal(house.runtime.kinds.size, 0)
  t.same(house.log, ['claim'], 'the place is not given up twice')
  house.send('again')
  await house.settle()
  t.same(house.log, ['claim', 'claim'])
  finish()
})

// `stop`

t.test('stops the process on another node', async (t) => {
  const house = new Suburb()
  house.steps = [there]
  const stopped = house.keyed.stop('a')
  await house.settle()
  t.match(house.asked, [{ node: there, request: { do: 'stop', address: '@room/a' } }])
  await house.told({})
  await stopped
  house.steps = [undefined, here]
  await house.keyed.stop('a')
  await house.keyed.stop('a')
  house.steps = [undefined]
  house.send('one')
  await house.settle()
  await Promise.all([house.keyed.stop('a'), house.settle()])
  t.same(house.processes.stats().exited, { shutdown: 1 })
  await t.rejects(house.keyed.stop(''), { code: 'FST_PROCESS_INVALID_NAME' })
  t.equal(house.asked.length, 1)
})
