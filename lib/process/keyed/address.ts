import { errorCodes, show } from '../../errors.js'
import { isGroupName } from '../registry/names.js'

/** `@cluster/` is kept for addresses of cluster-wide names. */
const kindShape = /^(?!cluster$)[A-Za-z0-9_-]{1,64}$/

/** UTF-16 units of the longest address: a key has at most as many as it has bytes. */
export const maxAddressLength = '@'.length + 64 + '/'.length + 256

const expectedKind = "a kind of 1 to 64 characters of A-Z, a-z, 0-9, _ and -, and not 'cluster'"
const expectedKey = 'a key of 1 to 256 bytes of UTF-8 without control characters'

/** @throws `FST_PROCESS_INVALID_NAME` */
export function checkKind (kind: unknown): asserts kind is string {
  if (typeof kind === 'string' && kindShape.test(kind)) return
  throw new errorCodes.FST_PROCESS_INVALID_NAME(show(kind), expectedKind)
}

/** @throws `FST_PROCESS_INVALID_NAME` */
export function checkKey (key: unknown): asserts key is string {
  if (isGroupName(key)) return
  throw new errorCodes.FST_PROCESS_INVALID_NAME(show(key), expectedKey)
}

export function addressOf (kind: string, key: string): string {
  return `@${kind}/${key}`
}

/** Whether a string may be the address of a key. No PID and no name begins like that. */
export function beginsAddress (text: string): boolean {
  return text.charCodeAt(0) === 64
}

/** The kind and the key of an address; undefined for other strings. */
export function splitAddress (address: string): { kind: string, key: string } | undefined {
  if (!beginsAddress(address)) return undefined
  const slash = address.indexOf('/')
  const kind = address.slice(1, slash)
  const key = address.slice(slash + 1)
  return slash > 0 && kindShape.test(kind) && isGroupName(key) ? { kind, key } : undefined
}

export function isKeyAddress (value: unknown): value is string {
  return typeof value === 'string' && splitAddress(value) !== undefined
}
