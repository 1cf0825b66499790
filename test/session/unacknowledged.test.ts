import t from 'tap'
import { Unacknowledged } from '../../lib/session/unacknowledged.js'
import { Slice } from '../../lib/shared/slice.js'

/** Without the other parts of a session. */
class Kept extends Unacknowledged {
  override takenCallback (number: number): (() => void) | undefined {
    return super.takenCallback(number)
  }

  override forEachKept (send: (frame: Slice, number: number) => void): void {
    super.forEachKept(send)
  }

  override releaseKept (): void {
    super.releaseKept()
  }
}

function frames (count: number, size = 10): Slice[] {
  return Array.from({ length: count }, (_, i) => new Slice(Buffer.alloc(size, i)))
}

/** The numbers and frames that are kept. */
function keptBy (kept: Kept): Array<[number, Slice]> {
  const all: Array<[number, Slice]> = []
  kept.forEachKept((frame, number) => all.push([number, frame]))
  return all
}

t.test('numbers messages from 1, and keeps them until they are acknowledged', async (t) => {
  const kept = new Kept()
  const [first, second, third] = frames(3)
  for (const frame of [first, second, third]) kept.keep(frame, undefined)
  t.same(keptBy(kept), [[1, first], [2, second], [3, third]])
  t.equal(kept.keptFrameBytes, 30)
  kept.acknowledge(2)
  t.same(keptBy(kept), [[3, third]])
  t.equal(kept.keptFrameBytes, 10)
  t.equal(kept.acknowledged, 2)
  // An acknowledgement may arrive late.
  kept.acknowledge(1)
  t.equal(kept.acknowledged, 2)
  t.equal(kept.droppedUpTo, 2)
  t.equal(kept.sent, 3)
})

t.test('keeps the right messages over many acknowledgements', async (t) => {
  const kept = new Kept()
  for (let number = 1; number <= 1000; number++) {
    kept.keep(new Slice(Buffer.from([number & 0xff])), undefined)
    if (number % 3 === 0) kept.acknowledge(number - 2)
  }
  t.same(keptBy(kept).map(([number, { bytes }]) => [number, bytes[0]]), [
    [998, 998 & 0xff], [999, 999 & 0xff], [1000, 1000 & 0xff]
  ])
  t.equal(kept.keptFrameBytes, 3)
})

t.test('calls back once, when the kernel or the client has the message', async (t) => {
  const kept = new Kept()
  const log: string[] = []
  kept.keep(new Slice(Buffer.alloc(1)), () => log.push('first'))
  kept.keep(new Slice(Buffer.alloc(1)), undefined)
  kept.keep(new Slice(Buffer.alloc(1)), () => log.push('third'))
  const taken = kept.takenCallback(1)!
  t.equal(kept.takenCallback(2), undefined)
  taken()
  taken()
  t.same(log, ['first'])
  t.equal(kept.takenCallback(1), undefined)
  kept.acknowledge(3)
  t.same(log, ['first', 'third'])
})

t.test('evicts the oldest messages that the kernel has taken', async (t) => {
  const kept = new Kept()
  for (const frame of frames(10)) kept.keep(frame, undefined)
  kept.evict({ bytes: 50, frames: 100 }, 0)
  t.equal(kept.droppedUpTo, 5)
  kept.evict({ bytes: 1000, frames: 2 }, 0)
  t.equal(kept.droppedUpTo, 8)
  t.equal(kept.acknowledged, 0)
})

t.test('does not evict messages that wait for the kernel', async (t) => {
  const kept = new Kept()
  for (const frame of frames(10)) kept.keep(frame, undefined)
  kept.evict({ bytes: 0, frames: 1 }, 75)
  t.equal(kept.droppedUpTo, 2, '80 bytes are kept, of which 75 wait')
  kept.evict({ bytes: 0, frames: 1 }, 0)
  t.equal(kept.keptCount, 0)
  kept.evict({ bytes: 0, frames: 0 }, -1)
  t.equal(kept.keptCount, 0)
})

t.test('releases everything', async (t) => {
  const kept = new Kept()
  kept.keep(new Slice(Buffer.alloc(1)), () => t.fail('called back'))
  const taken = kept.takenCallback(1)!
  kept.releaseKept()
  t.equal(kept.keptCount, 0)
  t.equal(kept.keptFrameBytes, 0)
  taken()
})
