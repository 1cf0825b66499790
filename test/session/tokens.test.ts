import t from 'tap'
import { TokenKey } from '../../lib/session/tokens.js'

const serial = 42
const scope = { origin: 'https://a.example', path: '/rooms/7' }

/** The last part of a token. */
function macOf (token: string): string {
  return token.split('.')[3]
}

t.test('makes a token of node, incarnation, serial and mac', async (t) => {
  const token = new TokenKey('web-1', 'k3x').tokenFor(serial, scope, 1)
  t.match(token, /^web-1\.k3x\.42\.[\w-]{22}$/)
})

t.test('accepts a token for its own scope and generation only', async (t) => {
  const key = new TokenKey('web-1', 'k3x')
  const mac = macOf(key.tokenFor(serial, scope, 1))
  t.ok(key.matches(mac, serial, scope, 1))
  t.notOk(key.matches(mac, serial, scope, 2))
  t.notOk(key.matches(mac, 43, scope, 1))
  t.notOk(key.matches(mac, serial, { ...scope, origin: '' }, 1))
  t.notOk(key.matches(mac, serial, { ...scope, path: '/rooms/8' }, 1))
  // The same bytes, cut between origin and path in another place.
  const shifted = { ...scope, origin: 'https://a.example/', path: 'rooms/7' }
  t.notOk(key.matches(mac, serial, shifted, 1))
})

t.test('has another key in each incarnation', async (t) => {
  const mac = macOf(new TokenKey('web-1', 'k3x').tokenFor(serial, scope, 1))
  t.notOk(new TokenKey('web-1', 'k3x').matches(mac, serial, scope, 1))
})

t.test('knows the tokens of its own incarnation', async (t) => {
  const key = new TokenKey('web-1', 'k3x')
  const token = { node: 'web-1', incarnation: 'k3x', serial: '1', mac: '' }
  t.ok(key.isOwn(token))
  t.notOk(key.isOwn({ ...token, node: 'web-2' }))
  t.notOk(key.isOwn({ ...token, incarnation: 'k3y' }))
})
