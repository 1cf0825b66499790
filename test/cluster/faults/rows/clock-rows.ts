// Nodes whose clocks are far apart.
import assert from 'node:assert/strict'
import type { Row } from './row.js'
import type { TestNode } from '../host.js'

export const clockRows: Record<string, Row> = {
  async 'the clocks of two nodes are 10 minutes apart' ({ scene, hosts, host }) {
    const doomed = host('+600s')
    let a = await scene.node('a', doomed)
    const b = await scene.node('b', hosts[0])
    const ahead = await a.ask('now') - await b.ask('now')
    assert.ok(ahead > 500_000, `a is ${ahead} ms ahead`)
    let last = 0
    const how: string[] = []
    const grant = async (node: TestNode, why: string): Promise<void> => {
      const pid = await node.ask('spawn')
      const { fence } = await node.ask('takeOver', 'leader', pid)
      assert.ok(fence > last, `${why}: ${fence} is above ${last}`)
      assert.equal((await b.ask('lookup', 'leader'))?.fence, fence, 'as another node sees it')
      last = fence
      how.push(why)
      if (why !== 'held') await node.ask('exit', pid, 'done')
    }
    await grant(a, 'first')
    await grant(b, 'release')
    await grant(a, 'release')
    await scene.engine.kill()
    await scene.engine.restart()
    await grant(b, 'restart of the engine')
    await grant(a, 'held')
    // The node with the later clock is killed, the engine loses its data, and the node is started
    // again with a correct clock.
    await doomed.kill()
    await b.untilNode('a', 'down')
    await scene.engine.kill()
    await scene.engine.restart(true)
    a = await scene.node('a', hosts[1])
    assert.equal(await a.ask('call', await b.ask('spawn'), 'echo', 1), 1, 'it reaches others')
    assert.equal(await b.ask('call', await a.ask('spawn'), 'echo', 2), 2, 'others reach it')
    assert.deepEqual(await a.ask('health'), { ready: true })
    await grant(b, 'loss of data')
    await grant(a, 'release')
    const reasons = [...new Set(how)].slice(1).filter((why) => why !== 'held').join(', ')
    return `${how.length} holders one after the other, each with a higher fence: ` +
      `after ${reasons}; the node with the later clock, started again with a correct one in an ` +
      'engine without its data, reaches the others and is reached'
  }
}
