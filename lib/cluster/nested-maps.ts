/** Functions for a map of maps: a table with two keys. */

/** The map of a key, made when it is not there. */
export function innerMap<A, B, C> (maps: Map<A, Map<B, C>>, key: A): Map<B, C> {
  let map = maps.get(key)
  if (map === undefined) maps.set(key, map = new Map())
  return map
}

/** Takes one out; a map without entries takes no memory. */
export function deleteInner<A, B, C> (maps: Map<A, Map<B, C>>, key: A, inner: B): void {
  const map = maps.get(key)
  if (map?.delete(inner) === true && map.size === 0) maps.delete(key)
}
