import t from 'tap'
import { normalizeOptions } from '../../lib/registration/options.js'
import { UpgradeServer } from '../../lib/registration/upgrade-server.js'
import { loadNative } from '../../lib/websocket/native.js'
import { buildRuntime, recordingLogger } from '../process/helpers.js'

const sendMany = (): void => {}

t.test('loads the native sender, unless it is missing or turned off', async (t) => {
  const loaded: string[] = []
  const load = async (id: string) => {
    loaded.push(id)
    return { version: 1, sendMany }
  }
  t.strictSame(await loadNative({}, load), { sendMany })
  t.strictSame(loaded, ['fastify-ws-relay-native'])
  t.strictSame(await loadNative({ WS_RELAY_NO_NATIVE: '1' }, load), {})
  t.equal(loaded.length, 1)
  t.strictSame(await loadNative({ WS_RELAY_NO_NATIVE: '0' }, load), { sendMany })
  for (const missing of [
    "Cannot find package 'fastify-ws-relay-native' imported from /app/x.js",
    "Cannot find module 'fastify-ws-relay-native'",
    'fastify-ws-relay tried to access fastify-ws-relay-native (a peer dependency) but it is not ' +
      'provided by your application'
  ]) t.strictSame(await loadNative({}, async () => { throw new Error(missing) }), {})
  const noImport = Object.assign(new Error('A dynamic import callback was not specified.'), {
    code: 'ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING'
  })
  t.strictSame(await loadNative({}, async () => { throw noImport }), {})
})

t.test('uses the native sender when io_uring cannot be used, and says why', async (t) => {
  const ringError = new Error('io_uring cannot be opened: EPERM')
  const loaded = await loadNative({}, async () => ({ version: 1, sendMany, ringError }))
  t.strictSame(loaded, { sendMany, err: ringError })
})

t.test('says why an installed native sender cannot be used', async (t) => {
  const broken = new Error('it has no binary')
  t.strictSame(await loadNative({}, async () => { throw broken }), { err: broken })
  t.match(await loadNative({}, async () => ({ version: 2, sendMany })), {
    err: /fastify-ws-relay-native has version 2/
  })
})

t.test('stats tell whether it is in use, and the log why not', async (t) => {
  const { logger, lines } = recordingLogger()
  const { runtime, processes } = buildRuntime({ logger })
  const server = new UpgradeServer(runtime, normalizeOptions({}).server)
  t.equal(processes.stats().connections.nativeSender, false)
  server.useNative({})
  t.strictSame(lines, [])
  const err = new Error('it has no binary')
  server.useNative({ err })
  t.strictSame(lines.splice(0), [{
    level: 'info', args: [{ err }, 'the native sender cannot be used: sockets write one by one']
  }])
  t.equal(processes.stats().connections.nativeSender, false)
  server.useNative({ sendMany })
  t.equal(processes.stats().connections.nativeSender, true)
  t.strictSame(lines, [])
  server.useNative({ sendMany, err })
  t.strictSame(lines, [{
    level: 'info',
    args: [{ err }, 'io_uring cannot be used: the native sender makes a system call for each socket']
  }])
})
