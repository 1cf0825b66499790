/** The names of the methods of an object. */
type Methods<O> = {
  [K in keyof O]: O[K] extends (...args: never[]) => unknown ? K : never
}[keyof O]

type Method<O, K extends keyof O> = O[K] extends (...args: infer A) => infer R
  ? (...args: A) => R
  : never

/**
 * Replaces a method of one object, until the returned function is called. The class and all other
 * objects stay as they are, so that code which is never traced pays nothing. Several replacements
 * of one object must be undone in reverse order: V8 then gives it its old hidden class again.
 *
 * @param replace gets the method of the class, bound to the object
 */
export function intercept<O extends object, K extends Methods<O>> (
  object: O, name: K, replace: (original: Method<O, K>) => Method<O, K>
): () => void {
  const original = (object[name] as (...args: unknown[]) => unknown).bind(object)
  object[name] = replace(original as Method<O, K>) as O[K]
  return () => { delete (object as Partial<O>)[name] }
}
