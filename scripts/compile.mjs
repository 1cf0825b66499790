// Compiles the library, the tests, the examples and the benches into `.build/`, file by file and
// without a check of types, in about a second. Plain Node runs the result: no process of the suite
// has a loader, which would cost each of them as much as all the rest of its start.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, stop } from 'esbuild'
import { bundleDashboard } from './build-dashboard.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const folders = ['lib', 'types', 'test', 'examples', 'bench']

/** Folders that other commands have made. */
const others = ['dist', 'node_modules']
/** The built page of the dashboard. `npm run demo` makes it among the sources, too. */
const assets = 'lib/dashboard/assets'

/** Where the compiled files are; git ignores it. */
export const output = '.build'

/** The paths of all files in a folder, relative to the root, without what other commands made. */
function filesIn (folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`
    if (entry.isDirectory() && !others.includes(entry.name)) return filesIn(path)
    return entry.isFile() ? [path] : []
  })
}

/** Writes what differs, so that a run that goes on at the same time reads whole files. */
function write (path, contents) {
  if (existsSync(path) && readFileSync(path).equals(contents)) return
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, contents)
}

/** Brings `.build/` up to date: `.ts` files as `.js` with source maps, all others as they are. */
export async function compile () {
  const files = folders.flatMap(filesIn)
  const isSource = (path) => path.endsWith('.ts')
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: files.filter(isSource),
    outdir: output,
    outbase: '.',
    format: 'esm',
    target: 'node20',
    sourcemap: 'inline',
    sourcesContent: false,
    logLevel: 'warning',
    write: false
  })
  const page = await bundleDashboard()
  stop() // Its service would run as long as this process does.
  const wanted = new Map(outputFiles.map(({ path, contents }) => [path, Buffer.from(contents)]))
  const tap = join(root, output, 'node_modules/tap')
  wanted.set(join(tap, 'index.js'), readFileSync(new URL('tap-shim.mjs', import.meta.url)))
  const manifest = '{ "type": "module", "exports": "./index.js" }\n'
  wanted.set(join(tap, 'package.json'), Buffer.from(manifest))
  for (const path of files.filter((path) => !isSource(path))) {
    wanted.set(join(root, output, path), readFileSync(join(root, path)))
  }
  for (const [name, bytes] of page) wanted.set(join(root, output, assets, name), bytes)
  for (const [path, contents] of wanted) write(path, contents)
  for (const folder of folders) {
    if (!existsSync(join(root, output, folder))) continue
    for (const path of filesIn(`${output}/${folder}`).map((path) => join(root, path))) {
      if (!wanted.has(path)) rmSync(path)
    }
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) await compile()
