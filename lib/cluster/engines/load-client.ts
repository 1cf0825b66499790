import { errorCodes, toError } from '../../errors.js'

const { FST_CLUSTER_CLIENT_MISSING } = errorCodes

/**
 * Loads an engine's client, which is an optional peer dependency.
 *
 * @throws `FST_CLUSTER_CLIENT_MISSING` with the name of the package to install
 */
export async function loadClient<T> (
  engine: string,
  name: string,
  load: () => Promise<T>
): Promise<T> {
  try {
    return await load()
  } catch (error) {
    // Node 20 loses the error code if a loader has hooks, so the message is compared.
    if (!toError(error).message.startsWith(`Cannot find package '${name}'`)) throw error
    throw new FST_CLUSTER_CLIENT_MISSING(engine, name, { cause: error })
  }
}
