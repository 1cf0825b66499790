// For tests of memory: which buffers are held by something.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { Slice } from '../lib/shared/slice.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Which memories are held. */
export async function areHeld (refs: Array<WeakRef<ArrayBufferLike>>): Promise<boolean[]> {
  // A reference is alive until the end of the job that has made or read it.
  await new Promise(setImmediate)
  collectGarbage()
  return refs.map((ref) => ref.deref() !== undefined)
}

/** A slice of a few bytes. The rest of its slab belongs to others. */
export function smallSlice (bytes: Buffer | string): Slice {
  const slab = Buffer.alloc(8192)
  const content = Buffer.from(bytes)
  content.copy(slab, 100)
  return new Slice(slab, 100, content.length)
}
