// Faults by other programs: a second node of the same name, and frames of a program that is no
// node.
import assert from 'node:assert/strict'
import { forgedBy, garbageFor } from './forged.js'
import { arrived, nodeLost, type Row } from './row.js'
import { encodeKey } from '../../../../lib/cluster/register.js'

export const strangerRows: Record<string, Row> = {
  async 'two nodes have the same name' ({ scene, hosts }) {
    const a = await scene.node('a', hosts[0])
    const first = await scene.node('b', hosts[1])
    const [here, there, holder, heir] = [
      await a.ask('spawn'),
      await first.ask('spawn'),
      await first.ask('spawn'),
      await a.ask('spawn')
    ]
    const names = { [here]: 'here', [there]: 'there', [holder]: 'holder' }
    const held = await first.ask('register', 'leader', holder)
    await first.ask('monitor', holder)
    await a.ask('monitor', there)
    await first.ask('monitor', here)
    assert.equal(await a.ask('call', there, 'echo', 1), 1)
    const client = await scene.client(a, there)
    scene.forget()
    const second = await scene.node('b', hosts[2])
    await a.until('the exit', (seen) => seen.length >= 3)
    assert.deepEqual(a.story(names), ['b down', '@exit there: noconnection', 'b up'])
    const end = await client.untilClosed()
    assert.equal(end, nodeLost)
    await first.until('its own losses, and the end of its application', (seen) => seen.length >= 4)
    const story = first.story(names)
    assert.deepEqual([...story].sort(), [
      '@cancel undefined: shutdown',
      '@exit here: noconnection',
      '@exit holder: name_lost',
      'a down'
    ])
    assert.ok(
      story.indexOf('a down') < story.indexOf('@exit here: noconnection'),
      'the node comes first'
    )
    assert.deepEqual(await first.ask('health'), { ready: false, problem: 'node name taken' })
    assert.equal(await a.ask('send', there, 'number', [1]), false)
    assert.equal(await first.ask('send', here, 'number', [1]), false)
    assert.equal(
      await a.ask('call', await second.ask('spawn'), 'echo', 2),
      2,
      'the second one has joined'
    )
    const taken = await a.ask('takeOver', 'leader', heir)
    assert.ok(taken.fence > held.fence)
    return 'the first one closes, and logs it; noconnection for its processes; ' +
      `sockets with a target there: ${end}`
  },

  async 'garbage and forged frames arrive' ({ scene, hosts }) {
    const a = await scene.node('a', hosts[0])
    const b = await scene.node('b', hosts[1])
    const c = await scene.node('c', hosts[2])
    const [here, atB, atC] = [await a.ask('spawn'), await b.ask('spawn'), await c.ask('spawn')]
    await a.ask('join', 'news', here)
    await a.ask('monitor', atB)
    await a.ask('monitor', atC)
    await c.ask('startLoad', here)
    await a.ask('received', here, 100)
    const client = await scene.client(a, atC)
    assert.equal(await b.ask('call', here, 'echo', 1), 1)
    scene.forget()
    const stranger = await scene.stranger()
    const inbox = `n.a.${here.slice(here.lastIndexOf('.') + 1)}`
    const incarnation = parseInt(atB.slice(atB.lastIndexOf('.') + 1), 36)
    let { garbage } = await a.ask('stats')
    const garbageOfB = (await b.ask('stats')).garbage
    const thrown = garbageFor('b', incarnation, stranger.maxFrame)
    for (const bytes of thrown.inbox) await stranger.publish(inbox, bytes)
    for (const bytes of thrown.heartbeats) await stranger.publish('hb', bytes)
    for (const bytes of thrown.broadcasts) await stranger.publish(`g.${encodeKey('news')}`, bytes)
    const count = thrown.inbox.length + thrown.heartbeats.length + thrown.broadcasts.length
    await a.ask('counted', 'garbage', garbage += count)
    // The other heartbeats carry its own name: a node ignores those.
    await b.ask('counted', 'garbage', garbageOfB + 1)
    for (const node of [a, b, c]) assert.deepEqual(node.story(), [], 'garbage changes nothing')
    const forged = forgedBy('b', incarnation)
    await stranger.listen(inbox, (bytes) => { forged.overhear(bytes) })
    for (const [i, make] of forged.batches.entries()) {
      await b.reach(here)
      await stranger.caughtUp()
      await stranger.publish(inbox, make())
      // A forged batch resets the channel of its node. Monitors end once; a new channel works.
      await a.until('the exit', (seen) => seen.length === i + 1)
      await a.ask('counted', 'garbage', garbage + 1)
      await b.reach(here)
      await a.reach(atB)
      await a.ask('monitor', atB)
      assert.equal(await a.ask('call', atB, 'echo', i), i)
      ;({ garbage } = await a.ask('stats'))
    }
    assert.deepEqual(
      a.story({ [atB]: 'b' }),
      forged.batches.map(() => '@exit b: noconnection'),
      'only the node whose name was forged is affected'
    )
    for (const node of [b, c]) assert.deepEqual(node.story(), [], node.name)
    await arrived(await c.ask('stopLoad'), a, here)
    client.sendNext()
    await client.untilEchoed()
    assert.ok(client.undisturbed, client.end)
    return `${count} counted and dropped, without effect; ${forged.batches.length} in the name ` +
      'of a node reset its channel, each; other nodes: no effect'
  }
}
