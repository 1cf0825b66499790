import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { root } from '../../program.js'

// A path that the compiler does not follow: the script is JavaScript.
const { bundleDashboard, bundleVendored } = await import(
  pathToFileURL(join(root, 'scripts/build-dashboard.mjs')).href
) as {
  bundleDashboard (): Promise<Map<string, Uint8Array>>
  bundleVendored (): Promise<Uint8Array>
}

const sizeOf = (bytes: Uint8Array) => gzipSync(bytes, { level: 9 }).length

t.test('stays small enough for a slow line, without a request to another server', async (t) => {
  const files = await bundleDashboard()
  t.ok(sizeOf(await bundleVendored()) <= 27_000, 'lit-html and uPlot')
  const sizes = [...files].map(([name, bytes]) => [name, sizeOf(bytes)] as const)
  const total = sizes.reduce((sum, [, size]) => sum + size, 0)
  t.ok(total <= 54_000, JSON.stringify(sizes))
  for (const [name, bytes] of files) {
    if (name === 'LICENSES.txt') continue
    const urls = Buffer.from(bytes).toString().match(/(?:https?|wss?):\/\/[^\s"'`)]+/g) ?? []
    t.strictSame(urls.filter((url) => !url.startsWith('http://www.w3.org/')), [], name)
  }
})

t.test('has no inline script or style, which its policy forbids', async (t) => {
  const html = Buffer.from((await bundleDashboard()).get('index.html')!).toString()
  t.notMatch(html, /<style|style=|<script(?![^>]* src=)|\son\w+=/)
  t.equal(html.match(/"\{base\}/g)?.length, 3, 'each URL is relative to the prefix')
})

t.test('has the licences of what it contains', async (t) => {
  const files = await bundleDashboard()
  const licences = Buffer.from(files.get('LICENSES.txt')!).toString()
  for (const words of [/^lit-html \d/, /Copyright \(c\) 2017 Google LLC/, /\nuplot \d/, /Leon Sorokin/]) {
    t.match(licences, words)
  }
  t.match(Buffer.from(files.get('page.js')!).toString().slice(0, 100), 'LICENSES.txt')
})
