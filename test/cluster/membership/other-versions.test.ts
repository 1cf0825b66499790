import t from 'tap'
import { TestCluster } from '../support.js'
import { encodeNumber, encodeSource, version } from '../../../lib/cluster/link/codec.js'
import { OtherVersions } from '../../../lib/cluster/membership/other-versions.js'
import type { Logger } from '../../../types/options.js'

/** The heartbeat of a node that speaks another version. */
function beat (node: string, incarnation: number, other = version + 1): Buffer {
  const bytes = Buffer.concat([encodeSource({ type: 2, node, incarnation }), encodeNumber(0)])
  bytes[0] = other
  return bytes
}

t.test('logs a node of another version once for each incarnation', async (t) => {
  const cluster = new TestCluster()
  const [a, b] = await cluster.start('a', 'b')
  const lines = () =>
    a.logged
      .filter(({ text }) => text.includes('another version'))
      .map(({ level, data }) => [level, data])
  for (let i = 0; i < 5; i++) a.transport.receive('test.hb', beat('old', 7, version - 1))
  await cluster.run(10)
  t.strictSame(lines(), [
    ['warn', { relayNode: 'old', incarnation: 7, version: version - 1, expected: version }]
  ])
  a.transport.receive('test.hb', beat('old', 8, version - 1))
  a.transport.receive('test.hb', beat('new', 7, version + 1))
  await cluster.run(10)
  t.equal(lines().length, 3)
  t.equal(a.cluster.stats().garbage, 7, 'each is counted all the same')
  t.strictSame(a.cluster.nodes().map(({ node }) => node), ['b'], 'it is no node')
  t.strictSame(a.cluster.health(), { ready: true })
  t.strictSame(b.logged.filter(({ level }) => level === 'warn'), [])
})

t.test('ignores garbage, and limits the number of remembered nodes', async (t) => {
  let lines = 0
  const others = new OtherVersions({ warn () { lines++ } } as unknown as Logger)
  for (const bytes of [
    Buffer.alloc(0),
    Buffer.from('GET / HTTP/1.1'),
    beat('a', 1, version),
    beat('a', 1).subarray(0, 5),
    beat('*', 1),
    beat('a', 1, 0)
  ]) { others.logSender(bytes) }
  t.equal(lines, 0)
  for (let i = 0; i < 1000; i++) others.logSender(beat(`node-${i}`, 1))
  t.equal(lines, 256)
  others.logSender(beat('node-1', 2))
  t.equal(lines, 257, 'those who are known are told of again')
})
