/**
 * Sends bytes on many sockets in one call. An entry is three numbers: a descriptor, and the offset
 * and the length of its bytes. The length becomes the number of bytes that the kernel has taken, or
 * a negative errno.
 */
export type SendMany = (entries: Int32Array, count: number, bytes: Uint8Array) => void

interface NativePackage {
  readonly version: number
  readonly sendMany: SendMany
  /** Why io_uring cannot be used, although `WS_RELAY_IO_URING` asks for it. */
  readonly ringError?: unknown
}

/** The native sender, if it can be used, and what cannot be used of its package. */
export interface LoadedNative {
  readonly sendMany?: SendMany
  readonly err?: unknown
}

/** The version of the package's interface that this code knows. */
const knownVersion = 1

// A variable, so that no bundler resolves it. A bundle works with or without the package.
const packageName = 'fastify-ws-relay-native'

/** The messages of Node, and of Yarn without a `node_modules` folder. */
const missing =
  /^(?:Cannot find (?:package|module) '|.* tried to access )fastify-ws-relay-native\b/
/** A script that was compiled without a way to import anything, as some bundlers do. */
const cannotImport = /^ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING/

/** Whether a variable of the environment turns something on. */
function isOn (value = ''): boolean {
  return !['', '0', 'false'].includes(value)
}

/**
 * Loads the optional package, unless it is turned off.
 * @internal
 */
export async function loadNative (
  env: NodeJS.ProcessEnv, load: (id: string) => Promise<NativePackage>
): Promise<LoadedNative> {
  if (isOn(env.WS_RELAY_NO_NATIVE)) return {}
  try {
    const { version, sendMany, ringError: err } = await load(packageName)
    if (version === knownVersion) return err === undefined ? { sendMany } : { sendMany, err }
    return { err: new Error(`${packageName} has version ${version} of its interface`) }
  } catch (err) {
    // Node 20 loses the error code if a loader has hooks, so the message is compared.
    const { message, code = '' } = err as NodeJS.ErrnoException
    return missing.test(String(message)) || cannotImport.test(code) ? {} : { err }
  }
}

/**
 * Resolves when the package is loaded, or known to be missing. Connections that open before write
 * without it. See `unmask.ts` for why it is neither required nor awaited.
 * @internal
 */
export const nativeLoaded: Promise<LoadedNative> =
  loadNative(process.env, (id) => import(/* webpackIgnore: true */ /* @vite-ignore */ id))
