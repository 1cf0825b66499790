// Requests of other nodes about a key.
import t from 'tap'
import { nodeOf } from '../../../lib/process/remote/key-directory.js'
import { pid, Suburb, there } from './suburb.js'

const start = { do: 'start', address: '@room/a' }

t.test('starts a process for another node', async (t) => {
  const house = new Suburb()
  const first = house.answer(start)
  t.same(first.said, [])
  await house.settle()
  t.same(first.said, [{ pid: house.rooms[0].pid }])
  t.same(house.answer(start, 'c').said, [{ pid: house.rooms[0].pid }])
  const watched = house.answer({ do: 'watch', pid: house.rooms[0].pid })
  const again = house.answer({ do: 'watch', pid: house.rooms[0].pid })
  const other = house.answer({ do: 'watch', pid: house.rooms[0].pid }, 'c')
  const stopped = house.answer({ do: 'stop', address: '@room/a' })
  t.same([watched.said, again.said, other.said], [[], [undefined], [undefined]])
  t.same(stopped.said, [])
  const late = house.answer({ do: 'watch', pid: house.rooms[0].pid })
  t.same(late.said, [undefined], 'it is stopping')
  await house.settle()
  t.same(stopped.said, [{}])
  t.same(house.answer({ do: 'watch', pid: house.rooms[0].pid }).said, [{}])
  t.same(house.processes.stats().exited, { shutdown: 1 })
})

t.test('tells another node why a start has failed', async (t) => {
  const house = new Suburb({ maxRestarts: 1 })
  house.body = () => { throw new Error('boom') }
  const first = house.answer(start)
  await house.settle()
  t.same(first.said, ['boom'])
  house.body = () => {}
  const second = house.answer(start)
  await house.settle()
  t.same(second.said, ["Process '@room/a' is not alive"])
  t.same(house.answer(start).said, [{ problem: 'it has failed too often' }])
  await house.advance(10_000)
  t.equal(house.runtime.kinds.size, 0)
})

t.test('names the node that it asks itself, and never waits for it', async (t) => {
  const house = new Suburb()
  house.steps = [there]
  const early = house.answer(start, 'c')
  await house.settle()
  t.same(early.said, [{ node: there }])
  t.same(house.answer(start, 'c').said, [{ node: there }], 'while it asks')
  await house.told({ pid })
  t.same(house.answer(start, 'c').said, [{ node: nodeOf(pid) }], 'when it knows')
})

t.test('tells another node that no process was found', async (t) => {
  const house = new Suburb()
  house.steps = [new Error('no engine')]
  const first = house.answer(start)
  await house.settle()
  t.same(first.said, ['no engine'])
  t.equal(house.runtime.kinds.size, 0)
})

t.test('claims a key that it was asked for, whatever the hash says', async (t) => {
  const house = new Suburb({ place: 'spread' })
  house.hash = [there]
  const asked = house.answer(start)
  await house.settle()
  t.same(asked.said, [{ pid: house.rooms[0].pid }])
  t.same(house.asked, [])
})

t.test('answers requests that make no sense', async (t) => {
  const house = new Suburb()
  const plain = house.processes.spawn(async (self) => { await self.receive() })
  house.send('one')
  await house.settle()
  for (const request of [
    undefined, null, 5, 'start', {}, { do: 'start' }, { do: 'start', address: 5 },
    { do: 'start', address: '@other/a' }, { do: 'start', address: 'a' }, { do: 'watch' },
    { do: 'watch', pid: 5 }, { do: 'watch', pid: plain }, { do: 'other', address: '@room/a' }
  ]) t.same(house.answer(request).said, [{}], JSON.stringify(request))
  await house.settle()
  t.same(house.keyed.list(), ['a'], 'an unknown request stops nothing')
  t.match(house.stats, { started: 1 })
  house.processes.exit(plain)
})
