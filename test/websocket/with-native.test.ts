// Runs the suites of connections again, with the native sender. `scripts/test.mjs` turns it off.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { loader, modulePath, root } from '../program.js'
import { compiledSendMany, notCompiled, sendManyByRing } from './native.js'

/** The smoke run has the first two. */
const folders = [
  'test/conformance', 'test/websocket', 'test/integration/connection', 'test/abuse',
  'test/properties/connections', 'test/properties/resume', 'test/integration/resume',
  'test/integration/upgrade'
]
/** Files that run by io_uring, too. */
const ringFiles = [
  'test/websocket/descriptors.test.ts', 'test/websocket/native-sender.test.ts',
  'test/properties/connections/batches.test.ts', 'test/integration/connection/native.test.ts'
]
const isSmoke = process.env.TEST_SMOKE === '1'

async function run (t: Test, file: string, settings: NodeJS.ProcessEnv): Promise<void> {
  const { NODE_OPTIONS: _, ...env } = process.env
  const child = spawn(process.execPath, ['--enable-source-maps', ...loader, modulePath(file)], {
    cwd: root,
    env: {
      ...env, ...settings, WS_RELAY_NO_NATIVE: '', FC_RUNS: isSmoke ? '300' : '3000'
    },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  let output = ''
  child.stdout.on('data', (text) => { output += text })
  const [code] = await once(child, 'close')
  if (code !== 0) t.comment(output.slice(-4000))
  t.equal(code, 0, 'it passes')
}

const skip = await compiledSendMany() === undefined && notCompiled
for (const folder of isSmoke ? folders.slice(0, 2) : folders) {
  const names = readdirSync(join(root, folder), { recursive: true }) as string[]
  for (const name of names) {
    if (!name.endsWith('.test.ts') || name.startsWith('with-native')) continue
    const file = `${folder}/${name}`
    t.test(`${file} with the native sender`, { skip }, (t) => run(t, file, {}))
  }
}

const byRing = await sendManyByRing()
for (const file of ringFiles) {
  const skip = typeof byRing === 'string' && byRing
  t.test(`${file} by io_uring`, { skip }, (t) => run(t, file, { WS_RELAY_IO_URING: '1' }))
}
