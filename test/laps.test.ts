import t from 'tap'
import { nextLap, settle } from './laps.js'

t.test('settle waits for a chain of immediates, ticks and promises of any length', async (t) => {
  let left = 500
  const step = (): void => {
    if (--left === 0) return
    if (left % 3 === 0) setImmediate(step)
    else if (left % 3 === 1) process.nextTick(step)
    else void Promise.resolve().then(step)
  }
  step()
  await settle()
  t.equal(left, 0)
})

t.test('settle does not wait for loops that wait, nor for another settle', async (t) => {
  let over = false
  const waiting = (async () => { while (!over) await nextLap() })()
  await Promise.all([settle(), settle()])
  over = true
  await waiting
  await settle()
  t.pass('both have ended')
})
