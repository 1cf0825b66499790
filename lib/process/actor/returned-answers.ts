/** Warnings that wait for the timeout of a call, by the object that waits for its answer. */
const warnings = new WeakMap<object, () => void>()

/**
 * Records that the handler of a call returned a value. Its caller does not know the callee, and a
 * handler may return a value and answer later, so the warning waits for the timeout.
 *
 * A WeakMap and not a property of the call, because few calls need it.
 */
export function recordReturnedAnswer (call: object, warn: () => void): void {
  warnings.set(call, warn)
}

/** Called when a call of this node has timed out. */
export function warnOfReturnedAnswer (call: object): void {
  warnings.get(call)?.()
}
