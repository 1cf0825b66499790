// Runs the example of docs/protocol.md.
import t from 'tap'
import { listen } from '../helpers.js'
import { openWire } from '../integration/resume/wire-client.js'
import { run, snippet } from './snippets.js'
import type { FastifyInstance } from 'fastify'

t.test('the example of docs/protocol.md relays what is valid', async (t) => {
  const code = await snippet('docs/protocol.md', 'Define and use one')
  const { app } = await run<{ app: FastifyInstance }>(t, code)
  t.teardown(() => app.close())
  const port = await listen(app)
  const [sender, other] = [await openWire(t, { port }, []), await openWire(t, { port }, [])]
  sender.writeText('{"topic":"say","data":{"text":7}}')
  sender.writeText('{"topic":"say","data":{"text":"hi"}}')
  await other.until(() => other.data.length === 1)
  t.strictSame(other.data, ['{"topic":"said","data":{"text":"hi"}}'])
})
