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
// the words of an existing view does. Below `readNativeLength`, that loop costs less than the call
// into C++ and the check for ASCII that it does not make.
const nativeLength = 64
const wordsLength = 192
const readWordsLength = 80
const readNativeLength = 1024

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
 * Unmasks a payload in place: the bytes from `start` to `end`. The mask's first byte is the lowest
 * of `mask`.
 * @returns true if the payload was found to be ASCII, false if that is unknown
 * @internal
 */
export function unmask (
  bytes: Buffer, start: number, end: number, mask: number, native: Unmask | null = nativeUnmask
): boolean {
  const length = end - start
  if (length === 0) return true
  if (mask === 0) return false
  if (length < nativeLength) return unmaskBytes(bytes, mask, start, end)
  const isRead = bytes === readBuffer
  if (native !== null && (!isRead || length >= readNativeLength)) {
    nativeMask[0] = mask
    nativeMask[1] = mask >>> 8
    nativeMask[2] = mask >>> 16
    nativeMask[3] = mask >>> 24
    native(bytes.subarray(start, end), nativeMask)
    return false
  }
  if (length < (isRead ? readWordsLength : wordsLength)) {
    return unmaskBytes(bytes, mask, start, end)
  }
  const offset = bytes.byteOffset
  const before = -(offset + start) & 3
  const first = start + before
  if (isRead) return unmaskWords(bytes, mask, start, end, before, readWords, first >> 2)
  const words = new Int32Array(bytes.buffer, offset + first, end - first >> 2)
  return unmaskWords(bytes, mask, start, end, before, words, 0)
}

function unmaskBytes (bytes: Buffer, mask: number, start: number, end: number): boolean {
  const m0 = mask & 0xff
  const m1 = mask >>> 8 & 0xff
  const m2 = mask >>> 16 & 0xff
  const m3 = mask >>> 24
  let seen = 0
  let i = start
  for (; i + 3 < end; i += 4) {
    seen |= (bytes[i] ^= m0) | (bytes[i + 1] ^= m1) |
      (bytes[i + 2] ^= m2) | (bytes[i + 3] ^= m3)
  }
  for (let shift = 0; i < end; i++, shift += 8) seen |= bytes[i] ^= mask >>> shift & 0xff
  return seen < 0x80
}

/**
 * @param before bytes before the first word
 * @param firstWord index of that word
 */
function unmaskWords (
  bytes: Buffer, mask: number, start: number, end: number,
  before: number, words: Int32Array, firstWord: number
): boolean {
  const count = end - start - before >> 2
  const after = start + before + count * 4
  // The first aligned word starts at any byte of the mask, so the mask is rotated.
  const rotated = mask >>> 8 * before | mask << 32 - 8 * before
  let seen = 0
  const endWord = firstWord + count
  for (let i = firstWord; i < endWord; i++) seen |= words[i] ^= rotated
  const head = unmaskBytes(bytes, mask, start, start + before)
  const tail = unmaskBytes(bytes, rotated, after, end)
  return head && tail && (seen & 0x80808080) === 0
}
