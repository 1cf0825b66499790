/**
 * An interface as its implementation has to be: each generic method with its type parameters replaced
 * by their constraints, and as a function, whose parameters the compiler compares strictly.
 */
export type Plain<I> = {
  [M in keyof I]: I[M] extends (...args: infer A) => infer R ? (...args: A) => R : I[M]
}

/** The names of the members that an implementation lacks, or has beyond its interface, or with other parameters. */
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

/** Compiles only where a {@link Mismatch} is none: the error names the member. */
export type Verified<M extends never> = M

/**
 * Gives an implementation its public type. What a PID's topics are is known to that type alone: at run
 * time, topics and payloads are any.
 */
export function published<I> (implementation: Plain<I>): I {
  return implementation as unknown as I
}
