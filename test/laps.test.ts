import t from 'tap'
import { nextLap, settle } from './laps.js'

t.test('settle waits for a chain of immediates, ticks and promises of any length', async (t) => {
  let left = 500
  const step = (): void => {
    if (--left === 0) return
    if (left % 3 === 0) setImmediate(step)
    else if (left % 3 === 1) process.nextTick(step)
    else queueMicrotask(step)
  }
  step()
  await settle()
  t.equal(left, 0)
})

t.test('settle does not wait for waiting loops or for another settle', async (t) => {
  const state = { waits: true }
  const waiting = (async () => { while (state.waits) await nextLap() })()
  await Promise.all([settle(), settle()])
  state.waits = false
  await waiting
  await settle()
  t.pass('both calls have ended')
})
