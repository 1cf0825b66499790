import t from 'tap'
import { Window } from '../../../lib/cluster/link/window.js'

const mega = 1024 * 1024

function filled (frames: number, bytes = 1): Window {
  const window = new Window()
  for (let i = 0; i < frames; i++) window.countAdded(bytes)
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
