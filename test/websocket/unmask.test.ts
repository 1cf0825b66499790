import { createRequire } from 'node:module'
import t from 'tap'
import { loadUnmask, unmask, unmaskLoaded } from '../../lib/websocket/unmask.js'

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
    for (const length of [0, 1, 2, 3, 4, 7, 63, 64, 65, 191, 192, 193, 194, 195, 196, 300]) {
      for (const at of [0, 1, 2, 3]) {
        for (const fill of [0x61, 0xe9]) {
          const plain = Buffer.alloc(length, fill)
          const masked = plain.map((byte, i) => byte ^ (mask >>> (8 * (i & 3)))) as Buffer
          for (const with_ of [undefined, null, native]) {
            const room = Buffer.allocUnsafeSlow(at + length + 1)
            room[at + length] = 0xff
            const payload = room.subarray(at, at + length)
            masked.copy(payload)
            const ascii = unmask(payload, mask, with_)
            if (!payload.equals(plain) || room[at + length] !== 0xff) {
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
  for (const length of [1, 5, 63, 192, 195]) {
    for (const at of [0, 1, 2, 3]) {
      for (let odd = 0; odd < length; odd++) {
        const payload = Buffer.allocUnsafeSlow(at + length).subarray(at).fill(0x61 ^ 0x55)
        payload[odd] = 0x80 ^ 0x55
        if (unmask(payload, 0x55555555, null)) t.fail(`byte ${odd} of ${length} at ${at}`)
        payload.fill(0x61 ^ 0x55)
        if (!unmask(payload, 0x55555555, null)) t.fail(`${length} bytes at ${at}`)
      }
    }
  }
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
  const seen = unmask(payload, 0x55555555)
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
