import { show } from '../../errors.js'

/**
 * The addresses of an engine, for errors and logs: without user, password and token, which stand
 * before the last `@`, and without path and query, which may have credentials as well.
 */
export function addressesOf (servers: string | readonly string[]): string {
  return [servers].flat().map((server) => show(addressOf(String(server)))).join(', ')
}

function addressOf (server: string): string {
  const rest = server.replace(/^[a-z][a-z0-9+.-]*:\/\//i, '')
  return rest.slice(rest.lastIndexOf('@') + 1).replace(/[/?#].*$/s, '')
}
