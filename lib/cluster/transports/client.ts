import { errorCodes } from '../../errors.js'

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
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new FST_CLUSTER_CLIENT_MISSING(engine, name, { cause: error })
  }
}
