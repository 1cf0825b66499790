import t from 'tap'
import { missing } from '../installed.js'
import { startCluster } from '../examples/fixtures/cluster.js'
import { desktop, enter, phone, picture, say, see, skip, windows } from './fixtures/pages.js'

t.setTimeout(300_000)

/** The console message of a browser when it cannot reach a server. */
const refused = /^WebSocket connection to .* failed/

t.test(
  'starts a room again and reconnects its clients when its node is killed',
  { skip: skip || missing('nats-server') },
  async (t) => {
    const { addresses } = await startCluster(t)
    const { open, mistakes } = windows(t, addresses)
    const ada = await open(addresses[0])
    const grace = await open(addresses[1], { viewport: phone, colorScheme: 'dark' })
    for (const page of [ada, grace]) page.setDefaultTimeout(60_000)
    t.same(
      await ada.getByRole('navigation').getByRole('link').allInnerTexts(),
      ['Chat'],
      'the page shows only the parts that the server has'
    )
    await see(ada, '#nodes-sub', 'Connected to node a')
    await enter(ada, 'Ada')
    await enter(grace, 'Grace')
    await see(ada, '#chat-sub', 'Ada on node a; the room is on node a')
    await see(grace, '#chat-sub', 'Grace on node b; the room is on node a')
    await see(ada, '#chat-people-title', '2 here')
    await say(ada, 'Good morning')
    await see(grace, '#chat-log .bubble', 'Good morning')
    for (const page of [ada, grace]) {
      await page.locator('.node[data-state=up]').nth(2).waitFor({ state: 'attached' })
    }
    await see(ada, '.node', /Node a: up.*#lobby \(2\)/)
    await picture(t, ada, 'cluster-desktop')

    await grace.getByRole('link', { name: 'Nodes' }).click()
    await grace.getByRole('button', { name: 'Kill node a' }).click()
    await see(grace, '.node[data-state=lost]', 'killed, and not yet missed')
    await see(ada, '#chat-log', 'The connection was lost')
    await see(ada, '#nodes-sub', 'Connected to node b')
    await see(grace, '.node[data-state=down]', 'Node a: down')
    await picture(t, grace, 'cluster-phone-nodes')
    t.equal(await grace.evaluate(() => document.documentElement.scrollWidth), phone.width)
    await grace.getByRole('link', { name: 'Chat' }).click()
    await see(
      grace,
      '#chat-log',
      'Closed with 1012 “target node lost”: the node that had the room was lost'
    )

    for (const page of [ada, grace]) {
      await see(page, '#chat-people-title', '2 here')
      await see(page, '#chat-sub', /on node [bc]; the room is on node [bc]/)
      await see(page, '#chat-state .pill', 'Connected')
    }
    await say(grace, 'Here again')
    await see(ada, '#chat-log .bubble', 'Here again')
    await picture(t, grace, 'cluster-phone')

    await ada.getByRole('button', { name: 'Start node a' }).click()
    await see(ada, '.node[data-state=up]', 'Node a: up')
    await ada.getByRole('button', { name: 'Kill node a' }).waitFor()
    await picture(t, ada, 'cluster-desktop-again')
    t.equal(await ada.evaluate(() => document.documentElement.scrollWidth), desktop.width)
    t.same(
      mistakes.filter((text) => !refused.test(text)),
      []
    )
  }
)
