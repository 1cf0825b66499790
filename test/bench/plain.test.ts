// Counts what the plugin does for a request that does not concern it, without time measurement.
// Runs in its own operating-system process, because coverage and tap's wrappers would be counted.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { program } from '../program.js'

interface Plain {
  calls: Record<string, number>
  requestListeners: number
  finishListeners: number
  methods: string[]
}

const args = [
  '-u', 'NODE_OPTIONS', '-u', 'NODE_V8_COVERAGE', process.execPath,
  ...program('test/bench/fixtures/plain.ts')
]
const { stdout } = await promisify(execFile)('env', args)
const plain = JSON.parse(stdout) as Plain

t.test('three hooks and writeHead run for a plain GET request, and nothing else', async (t) => {
  t.strictSame(plain.calls, {
    // Returns where the request is no upgrade.
    relayOnRequest: 1,
    handshakeOf: 3,
    stripHeader: 1,
    // One of the scope and one of the route; both return where the reply has no header.
    relayOnSend: 2,
    mayHaveHeader: 2,
    // Looks at the names of the headers: three of them here.
    writeHeadWithout: 1,
    withoutIn: 1,
    without: 1,
    isRelayHeader: 3
  })
})

t.test('a plain GET request has no listener and no method of the plugin', async (t) => {
  t.equal(plain.requestListeners, 1, "Fastify's own")
  t.equal(plain.finishListeners, 1, "Node's own")
  t.strictSame(plain.methods, ['_onPendingData'], "Node's own")
})
