import { randomInt } from 'node:crypto'
import t from 'tap'
import { SocketServer } from './socket-bench.js'
import { socketHistories } from './sockets.js'
import { termsFromEnv } from '../suite.js'

for (const [name, remote, histories] of [
  ['sockets', false, 75], ['sockets with remote targets', true, 25]
] as const) {
  t.test(`each message arrives once over real sockets that are cut: ${name}`, async (t) => {
    const server = await SocketServer.start(remote)
    t.teardown(() => server.close())
    // A history over sockets takes as long as a hundred without.
    const { runs: all, seed = randomInt(2 ** 31), path } = termsFromEnv(100 * histories)
    // Also known if a message is lost for which the history waits.
    t.comment(`seed ${seed}`)
    const terms = { runs: Math.ceil(all / 100), seed, path }
    const { failure, runs } = await socketHistories(name, server).check(terms)
    if (failure !== undefined) t.fail(failure)
    t.pass(`${runs} runs`)
  })
}
