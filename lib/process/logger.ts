import type { Logger } from '../../types/processes.js'

function discard (): void {}

/** The logger of a system that was given none. */
export const silentLogger: Logger = { trace: discard, debug: discard, info: discard, warn: discard, error: discard, fatal: discard, child: () => silentLogger }
