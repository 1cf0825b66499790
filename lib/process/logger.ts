import type { Logger } from '../../types/processes.js'

function say (): void {}

/** The logger of a system that was given none. */
export const silent: Logger = { trace: say, debug: say, info: say, warn: say, error: say, fatal: say, child: () => silent }
