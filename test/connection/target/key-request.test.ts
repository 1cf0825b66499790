// The request for the process of a key on another node, with a directory that the test answers.
import t from 'tap'
import { requestTarget } from '../../../lib/connection/target/target-request.js'
import { failure, success } from '../../../lib/shared/result.js'
import { errorCodes } from '../../../lib/errors.js'
import { pid, Suburb, there } from '../../process/keyed/suburb.js'
import type { TargetRequest } from '../../../lib/connection/target/target-request.js'
import type { Target } from '../../../lib/process/entity.js'
import type { BindResult } from '../../../lib/process/remote/remote-nodes.js'

const target = { pid } as Target

interface Requested { readonly request: TargetRequest, readonly answers: BindResult[] }

async function request (house: Suburb): Promise<Requested> {
  const one = requestTarget(house.runtime, house.keyed.key('a'))!
  const answers: BindResult[] = []
  one.requestBinding((answer) => { answers.push(answer) })
  await house.settle()
  return { request: one, answers }
}

async function found (house: Suburb): Promise<void> {
  house.steps = [there]
  house.send('one')
  await house.settle()
  await house.told({ pid })
}

t.test('binds to the process on another node', async (t) => {
  const house = new Suburb()
  await found(house)
  house.binds = [success(target)]
  const { request: { binding, waitsFor }, answers } = await request(house)
  t.same(answers, [success(target)])
  t.match(binding, { isRemote: true })
  t.equal(waitsFor, 'key')
})

t.test('asks for the next process when one has stopped meanwhile', async (t) => {
  const house = new Suburb()
  await found(house)
  house.binds = [failure('it is stopping'), failure('it is not alive'), success(target)]
  t.same((await request(house)).answers, [success(target)])
})

t.test('gives up when each process has stopped', async (t) => {
  const house = new Suburb()
  await found(house)
  house.binds = Array.from({ length: 7 }, () => failure('it is stopping' as const))
  t.same((await request(house)).answers, [failure('it is stopping')])
  t.equal(house.binds.length, 1)
  house.binds = [failure('its node is closing')]
  t.same((await request(house)).answers, [failure('its node is closing')])
})

t.test('starts the next process on this node when that is its place now', async (t) => {
  const house = new Suburb()
  await found(house)
  await house.told({})
  house.steps = [undefined]
  const { request: { binding }, answers } = await request(house)
  t.equal(binding, undefined)
  t.match(answers, [{ ok: true, value: { pid: house.rooms[0].pid } }])
  t.equal(requestTarget(house.runtime, house.keyed.key('a')), undefined, 'it can be looked up')
})

t.test('answers why there is no process', async (t) => {
  for (const [answer, problem] of [
    [{ problem: 'too many of its kind' }, 'too many of its kind'],
    [new Error('boom'), 'its start has failed'],
    [new errorCodes.FST_CLUSTER_UNAVAILABLE('lost'), 'the cluster is unavailable']
  ] as const) {
    const house = new Suburb()
    house.steps = [there]
    const { answers } = await request(house)
    await house.told(answer)
    t.same(answers, [failure(problem)])
  }
})

t.test('answers nothing when it is released', async (t) => {
  const house = new Suburb()
  house.steps = [there]
  const early = await request(house)
  early.request.release()
  await house.told({ pid })
  t.same(early.answers, [])
  house.binds = [success(target), success(target)]
  const late = await request(house)
  late.request.release()
  t.equal(house.forgotten.length, 1, 'the binding ends')
  await house.told({})
  const failed = await request(house)
  failed.request.release()
  await house.told(new Error('boom'))
  t.same(failed.answers, [])
})
