/**
 * The form of an interface that an implementation can have. Each type parameter of a generic method
 * is replaced by its constraint. Methods become properties with a function type, because the
 * compiler compares the parameters of those strictly.
 */
export type Plain<I> = {
  [M in keyof I]: I[M] extends (...args: infer A) => infer R ? (...args: A) => R : I[M]
}

/**
 * The names of the members in which an implementation differs from its interface: they are missing,
 * or the interface does not have them, or their parameters are different.
 */
export type Mismatch<I, Implementation> = {
  [M in keyof I | keyof Implementation]: M extends keyof I & keyof Implementation
    ? SameParameters<I[M], Implementation[M]> extends true ? never : M
    : M
}[keyof I | keyof Implementation]

type SameParameters<F, G> = F extends (...args: infer A) => unknown
  ? G extends (...args: infer B) => unknown
    ? [A] extends [B]
        ? [B] extends [A]
            ? true
            : false
        : false
    : false
  : true

/** Compiles only if the {@link Mismatch} is empty. Otherwise the error names the member. */
export type Verified<M extends never> = M

/**
 * Gives an implementation its public type. Only that type knows the topics of a PID: at run time,
 * every topic and payload is possible.
 */
export function published<I> (implementation: Plain<I>): I {
  return implementation as unknown as I
}
