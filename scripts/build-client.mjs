// Builds `fastify-ws-relay/client`: joins the files of `lib/client/` into `dist/client.js`, one
// minified file without imports, and writes its types beside it. Part of `npm run build`.
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'
import { minify } from 'terser'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Names that only the files of the client use among each other. They are shortened. */
const internal = [
  'acknowledge', 'begin', 'deliver', 'emit', 'endCalls', 'enqueue', 'first', 'forgetSent', 'hear',
  'hello', 'isOfSession', 'isSilent', 'left', 'messages', 'nextToSend', 'settles', 'socket', 'take',
  'takeCall', 'watch', 'whenDelivered'
]

/**
 * esbuild joins the files, and terser makes the result 4 % smaller than esbuild alone.
 *
 * @returns the code, as bytes. It has no source map, because to name one takes 40 of them.
 */
export async function bundleClient () {
  const { outputFiles: [{ text }] } = await build({
    absWorkingDir: root,
    entryPoints: ['lib/client/index.ts'],
    outfile: 'dist/client.js',
    bundle: true,
    minify: true,
    mangleProps: new RegExp(`^(?:${internal.join('|')})$`),
    format: 'esm',
    target: 'es2022',
    logLevel: 'warning',
    write: false
  })
  const { code } = await minify(text, {
    module: true,
    ecma: 2020,
    // No function of the client uses `this` or `new`, so all can become arrow functions.
    compress: { passes: 2, hoist_funs: true, unsafe_arrows: true }
  })
  return Buffer.from(code)
}

/** Writes `dist/client.d.ts`. Throws when the client needs types that browsers do not have. */
async function writeTypes () {
  const { default: ts } = await import('typescript')
  const path = `${root}lib/client/tsconfig.json`
  const { options, fileNames } = ts.parseJsonConfigFileContent(
    ts.readConfigFile(path, ts.sys.readFile).config, ts.sys, `${root}lib/client`
  )
  const program = ts.createProgram(fileNames, {
    ...options, noEmit: false, declaration: true, emitDeclarationOnly: true
  })
  const [problem] = ts.getPreEmitDiagnostics(program)
  if (problem) throw new Error(ts.formatDiagnostic(problem, ts.createCompilerHost({})))
  program.emit(program.getSourceFile(`${root}lib/client/index.ts`), (_, text) => {
    writeFileSync(`${root}dist/client.d.ts`, text.replaceAll('../../types/', './types/'))
  })
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  mkdirSync(`${root}dist`, { recursive: true })
  writeFileSync(`${root}dist/client.js`, await bundleClient())
  await writeTypes()
}
