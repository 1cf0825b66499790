/** The outcome of an operation whose failure the caller handles. `P` says what was wrong. */
export type Result<T, P = string> =
  | { readonly ok: true, readonly value: T }
  | { readonly ok: false, readonly problem: P }

export function success<T> (value: T): { readonly ok: true, readonly value: T } {
  return { ok: true, value }
}

export function failure<P> (problem: P): { readonly ok: false, readonly problem: P } {
  return { ok: false, problem }
}
