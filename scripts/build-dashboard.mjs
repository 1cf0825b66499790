// Builds the page of `fastify-ws-relay/dashboard`: joins `lib/dashboard/page/`, the client,
// lit-html and uPlot into one script. The style sheet and the licences are beside it.
// `npm run build` writes them to `dist/`, `npm run demo` to `lib/`, and scripts/compile.mjs takes
// them for the tests.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = 'lib/dashboard/page'

/** The packages that are part of the script, with their licences. */
const vendored = ['lit-html', 'uplot']

const read = (path) => readFileSync(`${root}${path}`)

function licences () {
  return vendored.map((name) => {
    const { version, homepage } = JSON.parse(read(`node_modules/${name}/package.json`))
    const text = read(`node_modules/${name}/LICENSE`).toString().trim()
    return `${name} ${version}, ${homepage}\n\n${text}\n`
  }).join('\n\n---\n\n')
}

async function bundle (options) {
  const { outputFiles: [{ text }] } = await build({
    absWorkingDir: root,
    bundle: true,
    minify: true,
    target: 'es2022',
    logLevel: 'warning',
    legalComments: 'none',
    write: false,
    ...options
  })
  return text
}

/** The indentation of the sources is a part of the templates: a tenth of the page's own code. */
const withoutIndentation = {
  name: 'without indentation',
  setup ({ onLoad }) {
    onLoad({ filter: /dashboard[\\/]page[\\/].*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/\n\s+/g, '\n'),
      loader: 'ts'
    }))
  }
}

async function script () {
  const text = await bundle({
    entryPoints: [`${page}/index.ts`],
    format: 'esm',
    plugins: [withoutIndentation]
  })
  return `/* Contains lit-html and uPlot: see LICENSES.txt. */\n${text}`
}

/** lit-html and uPlot alone, to see how large they are. */
export async function bundleVendored () {
  const contents = "export * from 'lit-html'; export { default } from 'uplot'"
  const stdin = { contents, resolveDir: root }
  return Buffer.from(await bundle({ stdin, format: 'esm' }))
}

async function styles () {
  const contents = "@import 'uplot/dist/uPlot.min.css';\n@import './static/style.css';\n"
  return await bundle({ stdin: { contents, loader: 'css', resolveDir: `${root}${page}` } })
}

/** @returns the files of the page by their names, as bytes */
export async function bundleDashboard () {
  return new Map([
    ['index.html', read(`${page}/static/index.html`)],
    ['icon.svg', read(`${page}/static/icon.svg`)],
    ['page.js', Buffer.from(await script())],
    ['page.css', Buffer.from(await styles())],
    ['LICENSES.txt', Buffer.from(licences())]
  ])
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const folder = `${root}${process.argv[2] ?? 'dist/lib/dashboard/assets'}`
  mkdirSync(folder, { recursive: true })
  for (const [name, bytes] of await bundleDashboard()) writeFileSync(`${folder}/${name}`, bytes)
}
