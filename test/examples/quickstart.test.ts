import t from 'tap'
import { build } from '../../examples/quickstart.js'
import { Client, listen } from './fixtures/client.js'

t.test('a message of one client reaches every client, and the sender too', async (t) => {
  const app = await listen(t, await build())
  const ada = await Client.connect(t, app, '/ws?user_id=ada')
  const grace = await Client.connect(t, app, '/ws?user_id=grace')
  ada.send('hello')
  t.equal(await ada.text(), 'hello')
  t.equal(await grace.text(), 'hello')
})

t.test('sends a notice from an HTTP route to the lobby', async (t) => {
  const app = await listen(t, await build())
  const ada = await Client.connect(t, app, '/ws')
  const response = await app.inject({
    method: 'POST',
    url: '/notify',
    payload: { text: 'tea is ready' }
  })
  t.same(response.json(), { accepted: true })
  t.equal(await ada.text(), 'tea is ready')
})

t.test('answers 400 to a malformed notice, and keeps the lobby', async (t) => {
  const app = await listen(t, await build())
  const ada = await Client.connect(t, app, '/ws')
  const response = await app.inject({
    method: 'POST',
    url: '/notify',
    payload: { text: { not: 'text' } }
  })
  t.equal(response.statusCode, 400)
  ada.send('still here')
  t.equal(await ada.text(), 'still here')
})

t.test('answers 426 to a plain GET', async (t) => {
  const app = await listen(t, await build())
  const response = await app.inject('/ws')
  t.equal(response.statusCode, 426)
  t.equal(response.headers['x-ws-relay'], undefined)
})
