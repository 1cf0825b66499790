// The example of docs/tracing.md, run as it stands there.
import { once } from 'node:events'
import t from 'tap'
import { instrument } from '../../lib/otel/index.js'
import { build, listen, open } from '../helpers.js'
import { Telemetry } from '../otel/telemetry.js'
import { run, snippet } from './snippets.js'

t.test('the example makes a span for a message, and one below it for its call', async (t) => {
  const telemetry = new Telemetry(t)
  const app = await build(t)
  const code = (await snippet('docs/tracing.md', 'Example')).replace(/^import .*$/gm, '')
  const trace = { getTracer: () => telemetry.tracer }
  await run(t, code, { app, trace, instrument })
  const client = await open(t, `ws://127.0.0.1:${await listen(app)}/chat`)
  const answer = once(client, 'message')
  client.send('hello')
  t.equal(String((await answer)[0]), 'saved 5 characters')
  await app.close()
  t.match(telemetry.seen, [
    { name: 'process store', parent: 'process chat' }, { name: 'process chat', kind: 'CONSUMER' }
  ])
})
