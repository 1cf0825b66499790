type Unmask = (payload: Buffer, mask: Buffer) => void

// A variable, so that no bundler resolves it: a bundle finds bufferutil beside itself, or does without.
const bufferutil = 'bufferutil'

/**
 * The `unmask` of `bufferutil`, if it is installed and, as for `ws`, not turned off. Its JavaScript
 * fallback, for platforms without a binary, is slower than the loop of this module and is not used.
 * @internal
 */
export async function loadUnmask (env: NodeJS.ProcessEnv, load: (id: string) => Promise<{ default: { unmask: Unmask } }>): Promise<Unmask | null> {
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
 * Settles when `bufferutil` is loaded, or known to be missing. Until then the loop serves. This must
 * neither be `createRequire(import.meta.url)`, which a CommonJS bundle does not have, nor a top-level
 * `await`, which `require()` does not take.
 * @internal
 */
export const unmaskLoaded: Promise<void> = loadUnmask(process.env, (id) => import(/* webpackIgnore: true */ /* @vite-ignore */ id))
  .then((loaded) => { nativeUnmask = loaded })

// Measured: below, the call into C++ costs more than the loop; for words, the view over the bytes.
const nativeLength = 64
const wordsLength = 192

// bufferutil takes the mask as a Buffer. One serves all: nothing runs between writing and reading it.
const nativeMask = Buffer.alloc(4)

/**
 * Unmasks a payload in place. The mask's first byte is the lowest of `mask`.
 * @returns true when the payload was seen to be ASCII on the way, false when nothing is known
 * @internal
 */
export function unmask (payload: Buffer, mask: number, native: Unmask | null = nativeUnmask): boolean {
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
  return length < wordsLength ? unmaskBytes(payload, mask, 0, length) : unmaskWords(payload, mask)
}

function unmaskBytes (payload: Buffer, mask: number, start: number, end: number): boolean {
  const m0 = mask & 0xff
  const m1 = mask >>> 8 & 0xff
  const m2 = mask >>> 16 & 0xff
  const m3 = mask >>> 24
  let seen = 0
  let i = start
  for (; i + 3 < end; i += 4) {
    seen |= (payload[i] ^= m0) | (payload[i + 1] ^= m1) | (payload[i + 2] ^= m2) | (payload[i + 3] ^= m3)
  }
  for (let shift = 0; i < end; i++, shift += 8) seen |= payload[i] ^= mask >>> shift & 0xff
  return seen < 0x80
}

function unmaskWords (payload: Buffer, mask: number): boolean {
  const { length } = payload
  const before = -payload.byteOffset & 3
  const count = length - before >> 2
  const after = before + count * 4
  const words = new Int32Array(payload.buffer, payload.byteOffset + before, count)
  // The first aligned word begins in the middle of the mask.
  const turned = mask >>> 8 * before | mask << 32 - 8 * before
  let seen = 0
  for (let i = 0; i < count; i++) seen |= words[i] ^= turned
  const head = unmaskBytes(payload, mask, 0, before)
  const tail = unmaskBytes(payload, turned, after, length)
  return head && tail && (seen & 0x80808080) === 0
}
