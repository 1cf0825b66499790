// The buttons of the demo that break its network and its server.
import type { Page } from 'playwright-core'
import t from 'tap'
import { run } from '../examples/fixtures/run.js'
import { enter, phone, picture, say, see, skip, stopTime, windows } from './fixtures/pages.js'

/** Resolves with a function that returns all texts that an element has had since. */
async function textsOf (page: Page, selector: string) {
  const texts = await page.locator(selector).evaluateHandle((element) => {
    const all: string[] = []
    new MutationObserver((records) => {
      for (const { addedNodes: [node] } of records) if (node) all.push(node.textContent!)
    }).observe(element, { childList: true })
    return all
  })
  return async () => await texts.jsonValue()
}

t.test('loses nothing when the page breaks its network', { skip }, async (t) => {
  const { child, line } = run(t, 'demo/server.ts', 0)
  const [address] = await line(/http:\/\/127\.0\.0\.1:\d+/)
  const { open, mistakes } = windows(t, [address])
  const page = await open(`${address}/#chat`)
  const grace = await open(`${address}/#chat`, { viewport: phone })
  await enter(page, 'Ada')
  await enter(grace, 'Grace')
  const press = (name: string) => page.locator('#network').getByRole('button', { name }).click()
  const said = (text: RegExp) => see(page, '#network-said', text)
  const texts = await textsOf(page, '#network-said')

  await press('Cut the network')
  await said(/^Back after .*none was lost\.$/)
  await see(page, '#network-sub', '1 session, 2 sockets so far')
  await see(page, '#chat-log', 'The connection was lost')
  await see(page, '#chat-log', 'nothing was missed')

  await stopTime(page)
  await press('Change networks')
  await said(/waits for 10 s/)
  await say(page, 'Can you hear me?')
  await page.clock.runFor(500)
  await see(page, '#chat-waits', '“Can you hear me?” waits for the server')
  await picture(t, page, 'network-moving')
  await page.clock.runFor(10_000)
  await page.clock.resume()
  await said(/^Back after .*\. \d\d+ messages had waited, and none was lost\.$/)
  await see(page, '#network-sub', '1 session, 3 sockets so far')
  await see(page, '#chat-log .own', 'Can you hear me?')
  t.notOk(await page.locator('#chat-waits').isVisible())

  await press('Freeze the server')
  await said(/^Back after .*none was lost\.$/)
  t.ok((await texts()).some((text) => text.startsWith('The server stands still for 3 s')))
  await see(page, '#network-sub', '1 session, 3 sockets so far')
  await picture(t, page, 'network-back')

  await press('Restart the server')
  await say(page, 'Said meanwhile')
  await said(/^Back after .*, in a new session\. .* none was lost\.$/)
  const starts = ['A new server starts.', 'The new server is ready.', 'This page has lost']
  for (const start of starts) {
    t.ok((await texts()).some((text) => text.startsWith(start)), start)
  }
  await see(page, '#network-sub', '2 sessions, 4 sockets so far')
  for (const each of [page, grace]) {
    await see(each, '#chat-log', 'The server was restarted')
    await see(each, '#chat-log', 'You are back in #lobby: nothing was missed')
    await see(each, '#chat-people-title', '2 here')
    t.same(
      await each.locator('#chat-log .bubble').allInnerTexts(),
      ['Can you hear me?', 'Said meanwhile']
    )
  }
  for (const direction of ['up', 'down']) {
    for (const fact of ['doubled', 'lost']) await see(page, `#network-${direction}-${fact}`, /^0$/)
  }
  await picture(t, page, 'network-restarted')
  // A try that has waited for the new server for too long.
  t.same(mistakes.filter((text) => !/^WebSocket /.test(text)), [])
  child.kill('SIGTERM')
  await line(/Stopped/)
})
