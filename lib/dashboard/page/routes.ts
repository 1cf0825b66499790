// The hash of the page: `#connections`, `#process/17@node.k3f9`, `#ends?cause=failed`. A reload, a
// link and the buttons of the browser keep the view.

/** The views with an entry in the navigation, in its order. */
export const views = [
  'overview', 'connections', 'processes', 'supervision', 'groups', 'nodes', 'ends'
] as const

export type ViewName = typeof views[number] | 'process' | 'tap'

export interface Route {
  readonly view: ViewName
  /** The PID or name of `process` and `tap`, otherwise empty. Untrusted. */
  readonly of: string
  /** Sort order, filter, node. Untrusted. */
  readonly query: Readonly<Record<string, string>>
}

const known: readonly string[] = [...views, 'process', 'tap']

/** Text with `%` that is no escape stays as it is. */
function decode (text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** The route of `location.hash`. An unknown view is the overview. */
export function parseRoute (hash: string): Route {
  const [path, search = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s)
  const [view, of = ''] = path.split(/\/(.*)/s)
  if (!known.includes(view)) return { view: 'overview', of: '', query: {} }
  return {
    view: view as ViewName,
    of: decode(of),
    query: Object.fromEntries(new URLSearchParams(search))
  }
}

/** The hash of a route. Empty values of the query are left out. */
export function hashOf (
  view: ViewName, of = '', query: Readonly<Record<string, string | undefined>> = {}
): string {
  const filled = Object.entries(query).filter((pair): pair is [string, string] => !!pair[1])
  const search = new URLSearchParams(filled).toString()
  const path = of === '' ? view : `${view}/${encodeURIComponent(of)}`
  return `#${path}${search === '' ? '' : `?${search}`}`
}
