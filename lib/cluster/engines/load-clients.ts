import { errorCodes, toError } from '../../errors.js'

const { FST_CLUSTER_CLIENT_MISSING } = errorCodes

type Loaders = Readonly<Record<string, () => Promise<unknown>>>
type Loaded<T extends Loaders> = { [K in keyof T]: Awaited<ReturnType<T[K]>> }

/**
 * Loads the packages of an engine's client, which are optional peer dependencies.
 *
 * @param loaders imports each package, by its name
 * @throws `FST_CLUSTER_CLIENT_MISSING` with all packages to install, or the error of a package that
 * is installed
 */
export async function loadClients<T extends Loaders> (
  engine: string, loaders: T
): Promise<Loaded<T>> {
  const names = Object.keys(loaders)
  const results = await Promise.allSettled(names.map((name) => loaders[name]()))
  const missing: string[] = []
  let cause: unknown
  const loaded: Record<string, unknown> = {}
  for (const [i, result] of results.entries()) {
    if (result.status === 'fulfilled') loaded[names[i]] = result.value
    else if (isMissing(result.reason, names[i])) {
      cause = result.reason
      missing.push(names[i])
    } else throw result.reason
  }
  if (missing.length === 0) return loaded as Loaded<T>
  throw new FST_CLUSTER_CLIENT_MISSING(engine, missing.join(' '), { cause })
}

/** Node 20 loses the error code if a loader has hooks, so the message is compared. */
function isMissing (error: unknown, name: string): boolean {
  return toError(error).message.startsWith(`Cannot find package '${name}'`)
}
