import t from 'tap'
import { defaultFragments } from '../../lib/connection/settings.js'

t.test('allows a fragment for each KiB of the largest message, and at least 1024', async (t) => {
  const KiB = 1024
  for (const [maxPayload, fragments] of [
    [1, 1024],
    [KiB * KiB, 1024],
    [KiB * KiB + 1, 1025],
    [100 * KiB * KiB, 100 * KiB],
    [Number.MAX_SAFE_INTEGER, 2 ** 43]
  ] as const) {
    t.equal(defaultFragments(maxPayload), fragments)
  }
})
