import t from 'tap'
import { RefusedOrigins } from '../../lib/upgrade/refused-origins.js'
import { answer, build, handshake, listen, logs } from '../helpers.js'
import { recordingLogger } from '../process/helpers.js'

t.test('a refused origin is logged once a minute, and no more than so many are remembered', async (t) => {
  const { logger, lines } = recordingLogger()
  const refused = new RefusedOrigins()
  let now = 0
  t.intercept(performance, 'now', { value: () => now })
  const refuse = (origin: string, at: number) => {
    now = at
    refused.logOnce({ headers: { origin }, host: 'relay.test', protocol: 'http', log: logger } as never)
    return lines.splice(0).map(({ level, args }) => {
      const { origin, ownOrigin } = args[0] as { origin: string, ownOrigin: string }
      return `${level} ${origin} ${ownOrigin}`
    })
  }
  t.strictSame(refuse('https://a.test', 0), ['warn https://a.test http://relay.test'])
  t.strictSame(refuse('https://a.test', 59_999), [])
  t.strictSame(refuse('https://b.test', 59_999), ['warn https://b.test http://relay.test'])
  t.strictSame(refuse('https://a.test', 60_000), ['warn https://a.test http://relay.test'])
  let count = 0
  for (let i = 0; i < 1000; i++) count += refuse(`https://${i}.test`, 60_000).length
  t.equal(count, 98, 'with those that are remembered: 100')
  t.equal(refuse('https://late.test', 119_999).length, 1, 'the oldest is forgotten first')
  t.equal(refuse('https://later.test', 119_999).length, 0)
  t.ok(refuse('x'.repeat(10_000), 200_000)[0].length < 200)
})

t.test('a refused upgrade says which origin came, which is the own one, and what to do', async (t) => {
  const { logger, lines } = logs('warn')
  const app = await build(t, {}, { logger })
  app.get('/', async () => t.fail('it is refused'))
  const port = await listen(app)
  for (let i = 0; i < 3; i++) t.match(await answer(t, port, handshake('/', { origin: 'https://relay.test' })), /^HTTP\/1\.1 403 /)
  t.equal(lines.length, 1)
  t.match(lines[0], { level: 40, origin: 'https://relay.test', ownOrigin: 'http://relay.test', msg: /allowedOrigins.*trustProxy/ })
})
