import { createRequire } from 'node:module'
import t from 'tap'
import { readBuffer } from '../../lib/websocket/read-buffer.js'
import { loadUnmask, unmask, unmaskLoaded, wordsOf } from '../../lib/websocket/unmask.js'

type Place = [bytes: Buffer, start: number, end: number]

/** A place for bytes: a buffer of its own, or the end or the middle of the one for all reads. */
const rooms: Array<(length: number) => Place> = [
  (length) => [Buffer.allocUnsafeSlow(length), 0, length],
  (length) => [readBuffer!, readBuffer!.length - length, readBuffer!.length],
  (length) => [readBuffer!, 1000, 1000 + length]
]

/** A module as `import()` of a CommonJS file resolves it. */
const moduleOf = async (unmask: (payload: Buffer, mask: Buffer) => void) => ({
  default: { unmask }
})

t.test('unmasks the same with and without bufferutil, at any length and alignment', async (t) => {
  const native = (payload: Buffer, mask: Buffer): void =>
    payload.forEach((byte, i) => {
      payload[i] = byte ^ mask[i & 3]
    })
  for (const mask of [0x04030201, -1, 0x80, 0x7f000000, -0x80000000, 0]) {
    for (const length of [
      0, 1, 2, 3, 4, 7, 63, 64, 65, 79, 80, 81, 82, 83, 191, 192, 193, 194, 195, 196, 300,
      1023, 1024
    ]) {
      for (const at of [0, 1, 2, 3]) {
        for (const fill of [0x61, 0xe9]) {
          const plain = Buffer.alloc(length, fill)
          const masked = plain.map((byte, i) => byte ^ (mask >>> (8 * (i & 3)))) as Buffer
          for (const [i, with_] of [undefined, null, null, null, native].entries()) {
            const [bytes, first] = rooms[i % rooms.length](at + length + 1)
            const start = first + at
            const end = start + length
            bytes[end] = 0xff
            masked.copy(bytes, start)
            const ascii = unmask(bytes, start, end, mask, with_)
            if (!bytes.subarray(start, end).equals(plain) || bytes[end] !== 0xff) {
              t.fail(`mask ${mask}, ${length} bytes at ${at}`)
            }
            if (ascii && fill > 0x7f && length > 0) {
              t.fail(`not ASCII: mask ${mask}, ${length} bytes at ${at}`)
            }
          }
        }
      }
    }
  }
})

t.test('finds a single non-ASCII byte at any position', async t => {
  for (const length of [1, 5, 63, 80, 83, 192, 195]) {
    for (const at of [0, 1, 2, 3]) {
      for (let odd = 0; odd < length; odd++) {
        const [bytes, first, end] = rooms[odd % 2](at + length)
        const start = first + at
        bytes.fill(0x61 ^ 0x55, start, end)
        bytes[start + odd] = 0x80 ^ 0x55
        if (unmask(bytes, start, end, 0x55555555, null)) t.fail(`byte ${odd} of ${length} at ${at}`)
        bytes.fill(0x61 ^ 0x55, start, end)
        if (!unmask(bytes, start, end, 0x55555555, null)) t.fail(`${length} bytes at ${at}`)
      }
    }
  }
})

t.test('has no words where each read has a buffer of its own', async t => {
  t.equal(wordsOf(null).length, 0)
  t.equal(wordsOf(Buffer.allocUnsafeSlow(8)).length, 2)
})

t.test(
  'does not use bufferutil when it is disabled, not installed, or has no binary',
  async (t) => {
    const own = Function.prototype as () => void
    t.equal(
      await loadUnmask({}, (id) => (id === 'bufferutil' ? moduleOf(own) : (t.fail(id) as never))),
      own
    )
    t.equal(await loadUnmask({ WS_NO_BUFFER_UTIL: '1' }, () => t.fail('loaded') as never), null)
    t.equal(
      await loadUnmask({}, async () => {
        throw new Error('not found')
      }),
      null
    )
    t.equal(await loadUnmask({}, () => moduleOf(() => {})), null, 'the fallback in JavaScript')
  }
)

t.test('uses bufferutil when it is installed', async t => {
  await unmaskLoaded
  const payload = Buffer.alloc(64, 0x61 ^ 0x55)
  const seen = unmask(payload, 0, 64, 0x55555555)
  t.equal(String(payload), 'a'.repeat(64))
  // Only the JavaScript loop reports that the payload is ASCII.
  t.equal(seen, !isInstalled())
})

function isInstalled (): boolean {
  try {
    return String(createRequire(import.meta.url)('bufferutil').unmask).includes('[native code]')
  } catch {
    return false
  }
}
