import { readBuffer } from './read-buffer.js'

type Unmask = (payload: Buffer, mask: Buffer) => void

interface BufferUtil {
  readonly default: { readonly unmask: Unmask }
}

// A variable, so that no bundler resolves it. A bundle works with or without bufferutil.
const bufferutil = 'bufferutil'

/**
 * Loads the `unmask` of `bufferutil`, if it is installed and, as for `ws`, not turned off. Its
 * JavaScript fallback for platforms without a binary is not used: it is slower than the loop below.
 * @internal
 */
export async function loadUnmask (
  env: NodeJS.ProcessEnv, load: (id: string) => Promise<BufferUtil>
): Promise<Unmask | null> {
  if (env.WS_NO_BUFFER_UTIL) return null
  try {
    const { unmask } = (await load(bufferutil)).default
    return /\[native code\]/.test(Function.prototype.toString.call(unmask)) ? unmask : null
  } catch {
    return null
  }
}

let nativeUnmask: Unmask | null = null

/**
 * Resolves when `bufferutil` is loaded, or known to be missing. Until then, the loop below is used.
 * `createRequire(import.meta.url)` is no alternative, because a CommonJS bundle does not have it. A
 * top-level `await` is none, because `require()` fails for it.
 * @internal
 */
export const unmaskLoaded: Promise<void> =
  loadUnmask(process.env, (id) => import(/* webpackIgnore: true */ /* @vite-ignore */ id))
    .then((loaded) => { nativeUnmask = loaded })

// Measured. Below `nativeLength`, the call into C++ costs more than the loop over the bytes. Below
// `wordsLength`, making a view of the bytes as words does. Below `readWordsLength`, the loop over
// the words of an existing view does.
const nativeLength = 64
const wordsLength = 192
const readWordsLength = 80

/** The view of the buffer that all sockets are read into: payloads are in it, mostly. */
const readWords = wordsOf(readBuffer)

/**
 * Views a buffer as words, or nothing if there is no buffer.
 * @internal
 */
export function wordsOf (bytes: Buffer | null): Int32Array {
  return bytes === null ? new Int32Array() : new Int32Array(bytes.buffer)
}

// bufferutil takes the mask as a Buffer. One is enough, because it is read as soon as it is
// written.
const nativeMask = Buffer.alloc(4)

/**
 * Unmasks a payload in place. The mask's first byte is the lowest of `mask`.
 * @returns true if the payload was found to be ASCII, false if that is unknown
 * @internal
 */
export function unmask (
  payload: Buffer, mask: number, native: Unmask | null = nativeUnmask
): boolean {
  const { length } = payload
  if (mask === 0) return false
  if (length < nativeLength) return unmaskBytes(payload, mask, 0, length)
  if (native !== null) {
    nativeMask[0] = mask
    nativeMask[1] = mask >>> 8
    nativeMask[2] = mask >>> 16
    nativeMask[3] = mask >>> 24
    native(payload, nativeMask)
    return false
  }
  const isRead = payload.buffer === readWords.buffer
  if (length < (isRead ? readWordsLength : wordsLength)) {
    return unmaskBytes(payload, mask, 0, length)
  }
  const { buffer, byteOffset } = payload
  const before = -byteOffset & 3
  const start = byteOffset + before
  if (isRead) return unmaskWords(payload, mask, before, readWords, start >> 2)
  const words = new Int32Array(buffer, start, length - before >> 2)
  return unmaskWords(payload, mask, before, words, 0)
}

function unmaskBytes (payload: Buffer, mask: number, start: number, end: number): boolean {
  const m0 = mask & 0xff
  const m1 = mask >>> 8 & 0xff
  const m2 = mask >>> 16 & 0xff
  const m3 = mask >>> 24
  let seen = 0
  let i = start
  for (; i + 3 < end; i += 4) {
    seen |= (payload[i] ^= m0) | (payload[i + 1] ^= m1) |
      (payload[i + 2] ^= m2) | (payload[i + 3] ^= m3)
  }
  for (let shift = 0; i < end; i++, shift += 8) seen |= payload[i] ^= mask >>> shift & 0xff
  return seen < 0x80
}

/**
 * @param before bytes before the first word
 * @param first index of that word
 */
function unmaskWords (
  payload: Buffer, mask: number, before: number, words: Int32Array, first: number
): boolean {
  const { length } = payload
  const count = length - before >> 2
  const after = before + count * 4
  // The first aligned word starts at any byte of the mask, so the mask is rotated.
  const rotated = mask >>> 8 * before | mask << 32 - 8 * before
  let seen = 0
  const end = first + count
  for (let i = first; i < end; i++) seen |= words[i] ^= rotated
  const head = unmaskBytes(payload, mask, 0, before)
  const tail = unmaskBytes(payload, rotated, after, length)
  return head && tail && (seen & 0x80808080) === 0
}
