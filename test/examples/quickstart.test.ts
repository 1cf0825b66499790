import t from 'tap'
import { build } from '../../examples/quickstart.js'
import { Client, listen } from './fixtures/client.js'

t.test('what one client says reaches everyone, its own socket included', async (t) => {
  const app = await listen(t, await build())
  const ada = await Client.connect(t, app, '/ws?user_id=ada')
  const grace = await Client.connect(t, app, '/ws?user_id=grace')
  ada.send('hello')
  t.equal(await ada.text(), 'hello')
  t.equal(await grace.text(), 'hello')
})

t.test('an HTTP route speaks into the lobby', async (t) => {
  const app = await listen(t, await build())
  const ada = await Client.connect(t, app, '/ws')
  const response = await app.inject({ method: 'POST', url: '/notify', payload: { text: 'tea is ready' } })
  t.same(response.json(), { accepted: true })
  t.equal(await ada.text(), 'tea is ready')
})

t.test('a malformed notice is a 400 and the lobby lives on', async (t) => {
  const app = await listen(t, await build())
  const ada = await Client.connect(t, app, '/ws')
  const response = await app.inject({ method: 'POST', url: '/notify', payload: { text: { not: 'text' } } })
  t.equal(response.statusCode, 400)
  ada.send('still here')
  t.equal(await ada.text(), 'still here')
})

t.test('a plain GET is told to upgrade', async (t) => {
  const app = await listen(t, await build())
  const response = await app.inject('/ws')
  t.equal(response.statusCode, 426)
  t.equal(response.headers['x-ws-relay'], undefined)
})
