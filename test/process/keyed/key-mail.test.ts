// Calls to a key whose process is on another node.
import t from 'tap'
import { slow } from './rooms.js'
import { pid, Suburb, there } from './suburb.js'

const stops: Record<string, (house: Suburb) => Promise<void> | undefined> = {
  'one has stopped meanwhile': async (house) => { await house.told({}) },
  'the stop and the refusal are told in one turn': (house) => {
    house.asked.at(-1)!.answer(undefined)
    return undefined
  }
}
for (const [what, stop] of Object.entries(stops)) {
  t.test(`calls the next process when ${what}`, async (t) => {
    const house = await Suburb.withRemote()
    const { processes, keyed } = house
    const call = processes.call(keyed.key('a'), 'ask')
    const stopped = stop(house)
    if (stopped !== undefined) await stopped
    house.steps = [undefined]
    house.sent[1].call!.reject(new Error('it is stopping'))
    await house.settle()
    t.equal(await call, 'a')
  })
}

t.test('rejects a call that the known process refuses', async (t) => {
  const house = await Suburb.withRemote()
  const { processes, keyed } = house
  const call = processes.call(keyed.key('a'), 'ask')
  house.sent[1].call!.reject(new Error('it is full'))
  await t.rejects(call, /it is full/)
  const failed = processes.call(keyed.key('a'), 'ask')
  house.sent[2].call!.fail(new Error('no'))
  await t.rejects(failed, { code: 'FST_PROCESS_CALL_FAILED' })
  const ended = processes.call(keyed.key('a'), 'ask')
  house.sent[3].call!.targetEnded({ pid, reason: 'noconnection' })
  await t.rejects(ended, { code: 'FST_PROCESS_CALL_FAILED', message: /noconnection/ })
  t.equal(house.forgotten.length, 3)
  house.takes = false
  await t.rejects(processes.call(keyed.key('a'), 'ask'), { code: 'FST_PROCESS_REFUSED' })
  t.equal(house.send('two'), false)
})

t.test('rejects a call when the next process is refused, or refuses it again', async (t) => {
  const house = new Suburb()
  house.steps = [there]
  const { processes, keyed } = house
  const call = processes.call(keyed.key('a'), 'ask', undefined, { timeout: '1m' })
  await house.settle()
  await house.told({ pid })
  for (let i = 0; i < 4; i++) {
    await house.told({})
    house.sent.at(-1)!.call!.reject(new Error('it is stopping'))
    await house.settle()
    if (i < 3) await house.told({ pid })
  }
  await t.rejects(call, /it is stopping/)
  t.equal(house.sent.length, 4)
  const other = processes.call(keyed.key('a'), 'ask')
  await house.settle()
  await house.told({ pid })
  await house.told({})
  const closed = house.runtime.shutdown.close(100)
  house.sent.at(-1)!.call!.reject(new Error('it is stopping'))
  await t.rejects(other, /it is stopping/)
  await house.settle()
  await closed
})

t.test('does not send a call whose caller waits no more', async (t) => {
  const house = new Suburb()
  house.steps = [there]
  const { processes, keyed } = house
  const call = processes.call(keyed.key('a'), 'ask', undefined, { timeout: 50 })
  await house.settle()
  await house.advance(60)
  await t.rejects(call, { code: 'FST_PROCESS_CALL_TIMEOUT' })
  await house.told({ pid })
  t.same(house.sent, [])
})

t.test('refuses a call for the full mailbox of the next process', async (t) => {
  const house = new Suburb({}, 1)
  const { body, go } = slow()
  house.body = body
  house.steps = [there]
  const { processes, keyed } = house
  const call = processes.call(keyed.key('a'), 'ask')
  await house.settle()
  await house.told({ pid })
  await house.told({})
  house.steps = [undefined]
  house.send('one')
  await house.settle()
  house.sent[0].call!.reject(new Error('it is stopping'))
  await t.rejects(call, { code: 'FST_PROCESS_REFUSED' })
  go()
  await house.settle()
  t.same(house.topics, ['one'])
})
