import { errorCodes, toError } from '../../errors.js'

const { FST_CLUSTER_CLIENT_MISSING } = errorCodes

/**
 * Loads an engine's client, which is an optional peer dependency.
 *
 * @throws `FST_CLUSTER_CLIENT_MISSING`, with the name of what to install
 */
export async function loadClient<T> (engine: string, name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (error) {
    // Not by its code, which Node 20 loses where a loader has hooks.
    if (!toError(error).message.startsWith(`Cannot find package '${name}'`)) throw error
    throw new FST_CLUSTER_CLIENT_MISSING(engine, name, { cause: error })
  }
}
