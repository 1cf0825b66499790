// `explain` names the process that a key has started in the place of a failed one.
import t from 'tap'
import { cleaningHouse, House, slowToEnd } from './rooms.js'

t.test('explains which process was started in the place of one that failed', async (t) => {
  const house = new House()
  house.send('crash')
  await house.settle()
  const [{ pid }] = house.rooms
  t.equal(house.processes.explain(pid)!.restartedAs, undefined, 'nobody has asked for the key')
  await house.advance(2000)
  house.send('next')
  await house.settle()
  const restartedAs = house.keyed.peek('a')
  t.ok(restartedAs)
  t.match(house.processes.explain(pid), {
    restartedAs, chain: [{ cause: 'failed', restartedAs, restartedAfter: 2000 }]
  })
  t.match(house.processes.explain(pid)!.text, `was restarted as ${restartedAs} after 2.0 s`)
})

t.test('explains it when the next process has started before the failed one ended', async (t) => {
  const { house, cleanUp } = await cleaningHouse()
  const [{ pid }, next] = house.rooms
  t.match(house.processes.explain(pid), { state: 'alive' }, 'it cleans up')
  await house.advance(1000)
  cleanUp()
  await house.settle()
  t.match(house.processes.explain(pid), {
    restartedAs: next.pid, chain: [{ restartedAfter: 0, uptime: 1000 }]
  })
})

for (const [what, reason] of [['fails', 'unwanted'], ['is ended', 'shutdown']]) {
  t.test(`explains it when the next process ${what} before it could start`, async (t) => {
    const house = new House({ backoff: { initial: '1s', max: '1s', jitter: 0 } })
    const { body, cleanUp } = slowToEnd()
    house.body = body
    house.send('crash')
    await house.settle()
    const [first] = house.rooms
    const [second, third] = ['two', 'three'].map((topic) => {
      house.send(topic)
      const pid = house.keyed.peek('a')!
      if (topic === 'two') house.processes.exit(pid, reason)
      return pid
    })
    t.match(house.processes.explain(first.pid), { state: 'alive' }, 'it cleans up')
    cleanUp()
    await house.settle()
    const { processes } = house
    const hasFailed = reason === 'unwanted'
    t.equal(processes.explain(first.pid)!.restartedAs, hasFailed ? second : undefined)
    await house.advance(1100)
    t.equal(processes.explain(first.pid)!.restartedAs, hasFailed ? second : third)
    t.equal(processes.explain(second)!.restartedAs, hasFailed ? third : undefined)
  })
}

t.test('names no successor of a process that ended without a failure', async (t) => {
  const house = new House()
  for (const topic of ['stop', 'next']) {
    house.send(topic)
    await house.settle()
  }
  t.equal(house.rooms.length, 2)
  t.equal(house.processes.explain(house.rooms[0].pid)!.restartedAs, undefined)
})
