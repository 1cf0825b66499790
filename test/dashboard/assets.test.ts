import t from 'tap'
import { Assets } from '../../lib/dashboard/assets.js'
import { dashboard } from '../../lib/dashboard/index.js'
import { build } from '../helpers.js'
import { allowAll, buildDashboard } from './support.js'

t.test('serves the page with and without a slash, with URLs that work for both', async (t) => {
  const app = await buildDashboard(t)
  for (const [url, base] of [
    ['/processes', './processes/'], ['/processes/', './'], ['/processes?a=/b', './processes/']
  ]) {
    const { statusCode, headers, body } = await app.inject(url)
    t.equal(statusCode, 200, url)
    t.equal(headers['content-type'], 'text/html; charset=utf-8')
    t.ok(body.includes(`src="${base}page.js"`), url)
    t.notOk(body.includes('{base}'))
  }
})

t.test('serves the page at the root and below a parameter', async (t) => {
  const app = await build(t)
  await app.register(async (scope) => { await scope.register(dashboard, { onRequest: allowAll }) })
  await app.register(dashboard, { prefix: '/of/:name', onRequest: allowAll })
  t.ok((await app.inject('/')).body.includes('src="./page.js"'))
  const hostile = encodeURIComponent('"><script>alert(1)</script>')
  const { body } = await app.inject(`/of/${hostile}`)
  t.notOk(body.includes('<script>alert'))
  t.ok(body.includes('src="./%22%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E/page.js"'))
  t.ok((await app.inject('/of/javascript:alert(1)')).body.includes('src="./javascript%3Aalert'))
})

t.test('answers with 304 for a file that the browser has', async (t) => {
  const app = await buildDashboard(t)
  for (const url of ['/processes', '/processes/page.js']) {
    const { headers: { etag, ...headers }, body } = await app.inject(url)
    t.match(etag, /^"[\w-]{22}"$/)
    t.equal(headers['cache-control'], 'private, no-cache')
    const known = { 'if-none-match': `"other", W/${etag}` }
    const again = await app.inject({ url, headers: known })
    t.strictSame([again.statusCode, again.body, again.headers.etag], [304, '', etag])
    const changed = await app.inject({ url, headers: { 'if-none-match': '"other"' } })
    t.strictSame([changed.statusCode, changed.body], [200, body])
  }
})

t.test('serves the files of its folder only, each with its type', async (t) => {
  const app = await buildDashboard(t)
  const { files } = await Assets.read()
  t.ok(files.has('page.js'))
  t.notOk(files.has('index.html'), 'the page is at the prefix')
  for (const [name, { type, body }] of files) {
    const { headers, rawPayload } = await app.inject(`/processes/${name}`)
    t.equal(headers['content-type'], type, name)
    t.ok(rawPayload.equals(body))
  }
  for (const name of ['index.html', 'assets.js', '../index.js', '..%2findex.js', 'none.js']) {
    t.equal((await app.inject(`/processes/${name}`)).statusCode, 404, name)
  }
})

t.test('says how to build the page when it is missing', async (t) => {
  await t.rejects(Assets.read(t.testdir() + '/none'), {
    message: /the page of the dashboard is not built: run 'npm run build'/,
    cause: { code: 'ENOENT' }
  })
})
