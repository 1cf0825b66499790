import t from 'tap'
import { Window } from '../../../lib/cluster/link/window.js'

const mega = 1024 * 1024

function filled (frames: number, bytes = 1): Window {
  const window = new Window()
  for (let i = 0; i < frames; i++) window.addFrame(bytes)
  return window
}

t.test('is full with 4 096 frames, or with 8 MB', async (t) => {
  t.notOk(filled(4095).full)
  t.ok(filled(4096).full)
  t.notOk(filled(1, 8 * mega - 1).full)
  t.ok(filled(1, 8 * mega).full)
})

t.test('is congested from three quarters of either limit', async (t) => {
  t.notOk(filled(3071).congested)
  t.ok(filled(3072).congested)
  t.notOk(filled(1, 6 * mega - 1).congested)
  t.ok(filled(1, 6 * mega).congested)
})

t.test('is exhausted at 64 times the frames, or 16 times the bytes', async (t) => {
  t.notOk(filled(262_143).exhausted)
  t.ok(filled(262_144).exhausted)
  t.notOk(filled(1, 128 * mega - 1).exhausted)
  t.ok(filled(1, 128 * mega).exhausted)
})

t.test(
  'resumes each producer once, when both counts are below a quarter of their limits',
  async (t) => {
    const window = filled(3072, 3000)
    let resumed = 0
    window.subscribeDrain({
      resume () {
        resumed++
      }
    })
    window.resumeProducers()
    t.equal(resumed, 0)
    for (let i = 0; i < 2048; i++) window.removeFrame(3000)
    window.resumeProducers()
    t.equal(resumed, 0, 'few enough frames, too many bytes')
    for (let i = 0; i < 1024; i++) window.removeFrame(3000)
    for (let i = 0; i < 1025; i++) window.addFrame(1)
    window.resumeProducers()
    t.equal(resumed, 0, 'few enough bytes, too many frames')
    window.removeFrame(1)
    window.resumeProducers()
    window.resumeProducers()
    t.equal(resumed, 1)
  }
)

t.test('stops resuming when one producer fills the window again', async (t) => {
  const window = new Window()
  const order: string[] = []
  const feeder = (name: string, bytes: number) => ({
    resume () {
      order.push(name)
      window.addFrame(bytes)
    }
  })
  window.subscribeDrain(feeder('small', 1))
  window.subscribeDrain(feeder('large', 7 * mega))
  window.subscribeDrain(feeder('last', 1))
  window.resumeProducers()
  t.strictSame(order, ['small', 'large'])
  window.removeFrame(7 * mega)
  window.resumeProducers()
  t.strictSame(order, ['small', 'large', 'last'])
})

t.test('does not resume a producer that unsubscribed, nor any after clear', async (t) => {
  const window = filled(4096, 4096)
  const feeder = { resume () { t.fail('it was forgotten') } }
  window.subscribeDrain(feeder)
  window.unsubscribeDrain(feeder)
  window.subscribeDrain({ resume () { t.fail('its channel was torn') } })
  window.clear()
  t.notOk(window.congested)
  window.resumeProducers()
  t.pass()
})

t.test(
  'refuses messages when it is full, calls when the reserve is full, and system frames never',
  async (t) => {
    const refusals = (window: Window): boolean[] =>
      (['message', 'call', 'system'] as const).map((urgency) => window.refuses(urgency))
    t.strictSame(refusals(filled(4095)), [false, false, false])
    t.strictSame(refusals(filled(4096)), [true, false, false])
    t.strictSame(refusals(filled(4 * 4096 - 1)), [true, false, false])
    t.strictSame(refusals(filled(4 * 4096)), [true, true, false])
    t.strictSame(refusals(filled(1, 16 * mega - 1)), [true, false, false])
    t.strictSame(refusals(filled(1, 16 * mega)), [true, true, false])
  }
)
