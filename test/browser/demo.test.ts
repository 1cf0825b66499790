import Fastify, { type FastifyInstance } from 'fastify'
import type { BrowserContextOptions, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import chat from '../../examples/chat.js'
import { servePage } from '../../examples/demo/page.js'
import { build } from '../../examples/demo/app.js'
import wsRelay from '../../lib/index.js'
import { enter, phone, picture, say, see, skip, stopTime, windows } from './fixtures/pages.js'

/** The demo. `open` opens a new window; `mistakes` has the errors of all windows. */
async function start (t: Test, make: () => Promise<FastifyInstance> = build) {
  const app = await make()
  app.log.level = 'silent'
  t.teardown(() => app.close())
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const { open, mistakes } = windows(t, [address])
  return {
    app,
    open: (view: string, options?: BrowserContextOptions) => open(`${address}/#${view}`, options),
    mistakes
  }
}

/** Closes the connections to a process. */
function closeAll ({ processes }: FastifyInstance, name: string, code: number) {
  const target = processes.names.lookup(name)
  for (const pid of processes.list()) {
    const info = processes.info(pid)
    if (info?.kind === 'ws' && info.target === target) processes.send(pid, 'ws.close', { code })
  }
}

/** Both sides of the help desk may be visible. */
async function begin (page: Page, side: 'desk' | 'operator', name: string) {
  const form = page.locator(`#${side}-join`)
  await form.getByRole('textbox', { name: 'Your name' }).fill(name)
  await form.getByRole('button').click()
}

t.test('shows messages, arrivals and departures to two people in a chat', { skip }, async (t) => {
  const { open, mistakes } = await start(t)
  const ada = await open('chat')
  const grace = await open('chat', { viewport: phone, colorScheme: 'dark' })
  await enter(ada, 'Ada')
  await enter(grace, 'Grace')
  await see(ada, '#chat-people-title', '2 here')
  await see(ada, '#chat-people', 'Grace')
  await see(grace, '#chat-people', 'Ada')
  await say(ada, 'Good <b>morning</b>')
  await see(grace, '#chat-log .bubble', 'Good <b>morning</b>')
  t.equal(
    await grace.locator('#chat-log b').count(),
    0,
    'a message of another person is shown as text'
  )
  await say(grace, 'And to you')
  await see(ada, '#chat-log .line:not(.own)', 'And to you')
  await picture(t, ada, 'desktop-light')
  await picture(t, grace, 'phone-dark')
  await grace.getByRole('button', { name: 'Leave the room' }).click()
  await see(ada, '#chat-log', 'Grace left')
  await see(ada, '#chat-people-title', '1 here')
  t.same(mistakes, [])
})

/** Whether the element is completely visible in its log. */
async function isInSight (page: Page, selector: string) {
  return await page.locator(selector).last().evaluate((element) => {
    const { top, bottom } = element.getBoundingClientRect()
    const log = element.closest('.log')!.getBoundingClientRect()
    return log.height > 0 && top >= log.top - 1 && bottom <= log.bottom + 1
  })
}

t.test(
  'shows the newest line and marks unread ones when a reader returns to a conversation',
  { skip },
  async (t) => {
    const { open, mistakes } = await start(t)
    const ada = await open('chat')
    const grace = await open('chat')
    await enter(ada, 'Ada')
    await enter(grace, 'Grace')
    const link = ada.getByRole('navigation').getByRole('link').filter({ hasText: 'Chat' })
    for (let n = 1; n <= 15; n++) await say(grace, `seen ${n}`)
    await see(ada, '#chat-log .bubble', 'seen 15')
    t.ok(await isInSight(ada, '#chat-log .line'))
    t.equal(await ada.locator('.badge').count(), 0)

    await ada.getByRole('link', { name: 'Help desk' }).click()
    for (let n = 1; n <= 5; n++) await say(grace, `missed ${n}`)
    await see(ada, 'nav .badge', '5')
    t.match(await link.innerText(), /^Chat\s*5\s*new$/)
    t.equal(await ada.title(), '(5) Help desk · Relay demo')
    await picture(t, ada, 'unread-beside')
    await link.click()
    await ada.locator('nav .badge').waitFor({ state: 'detached' })
    t.ok(await isInSight(ada, '#chat-log .line'), 'the newest line')
    t.match(await ada.locator('#chat-log .rule + .line').innerText(), /missed 1/)
    t.equal(await ada.title(), '#lobby · Relay demo')
    await picture(t, ada, 'unread-returned')

    await ada.locator('#chat-log').evaluate((log) => {
      log.scrollTop = 0
    })
    await ada.locator('#chat-log').evaluate(async () => {
      await new Promise((resolve) => {
        requestAnimationFrame(() => {
          requestAnimationFrame(resolve)
        })
      })
    })
    await say(grace, 'and another')
    const jump = ada.getByRole('button', { name: '1 new message' })
    await jump.waitFor()
    t.notOk(await isInSight(ada, '#chat-log .line'), 'the log does not scroll while she reads')
    await picture(t, ada, 'unread-below')
    await jump.click()
    await jump.waitFor({ state: 'hidden' })
    t.ok(await isInSight(ada, '#chat-log .line'))
    t.match(await ada.locator('#chat-log .rule + .line').innerText(), /and another/)
    await say(ada, 'I have read it all')
    await see(ada, '#chat-log .own', 'I have read it all')
    t.equal(await ada.locator('#chat-log .rule').count(), 0)
    t.same(mistakes, [])
  }
)

t.test(
  'shows an operator which visitor has written, and the number of unread lines',
  { skip },
  async (t) => {
    const { open, mistakes } = await start(t)
    const operator = await open('operator')
    await begin(operator, 'operator', 'Olga')
    const visitors = []
    for (const name of ['Ada', 'Grace']) {
      const visitor = await open('desk')
      await begin(visitor, 'desk', name)
      await visitor.getByRole('button', { name: 'Talk to a human' }).click()
      await see(operator, '#operator-queue', '1 waiting')
      await operator.getByRole('button', { name: 'Take the next visitor' }).click()
      await see(visitor, '#desk-with', 'You are talking to Olga')
      visitors.push(visitor)
    }
    await say(visitors[0], 'Are you there?')
    await see(operator, '.chip.unread', 'Ada')
    await see(operator, 'nav .badge', '1')
    await operator.locator('.chip.unread').click()
    await operator.locator('.badge, .chip.unread').first().waitFor({ state: 'detached' })
    t.match(await operator.locator('#operator-logs .rule + .line').innerText(), /Are you there\?/)
    await operator.getByRole('button', { name: 'Go off duty' }).click()
    t.same(mistakes, [])
  }
)

t.test('keeps everybody connected when a room crashes, and says so', { skip }, async (t) => {
  const { open, mistakes } = await start(t)
  const ada = await open('chat')
  const grace = await open('chat', { viewport: phone })
  const other = await open('chat')
  await enter(ada, 'Ada')
  await enter(grace, 'Grace')
  await enter(other, 'Edsger', 'library')
  await say(ada, 'Before')
  await see(grace, '#chat-log .bubble', 'Before')
  await ada.getByRole('button', { name: 'Crash this room' }).click()
  for (const page of [ada, grace]) {
    await see(page, '#chat-log .good', 'The room has crashed and was started again')
    await see(page, '#chat-state .pill', 'Connected')
    await see(page, '#chat-people-title', '2 here')
  }
  await say(grace, 'That was quick')
  await see(ada, '#chat-log .bubble', 'That was quick')
  t.same(await ada.locator('#chat-log .bubble').allInnerTexts(), ['Before', 'That was quick'])
  await picture(t, ada, 'crashed')
  await picture(t, grace, 'crashed-phone')
  t.equal(await other.locator('#chat-log').getByText('crashed').count(), 0, 'another room')
  t.same(mistakes, [])
})

t.test('explains a close code, and reconnects at once on a click', { skip }, async (t) => {
  const { app, open, mistakes } = await start(t)
  const ada = await open('chat')
  await enter(ada, 'Ada')
  await say(ada, 'Before')
  await see(ada, '#chat-log .bubble', 'Before')
  await stopTime(ada)
  closeAll(app, '@room/lobby', 1011)
  await see(ada, '#chat-state .why', '1011: the room ended with an error')
  await see(ada, '#chat-state .pill', /Reconnecting in \d+ s/)
  await see(ada, '#chat-log', 'Closed with 1011: the room ended with an error')
  await say(ada, 'Meanwhile')
  await ada.locator('#chat-state').getByRole('button', { name: 'Now' }).click()
  await see(ada, '#chat-state .pill', 'Connected')
  await see(ada, '#chat-log', 'You are back in #lobby')
  await see(ada, '#chat-log .bubble', 'Meanwhile')
  t.same(await ada.locator('#chat-log .bubble').allInnerTexts(), ['Before', 'Meanwhile'])
  t.same(mistakes, [])
})

t.test(
  'hands a visitor over from the bot to a human and back without losing a message',
  { skip },
  async (t) => {
    const { open, mistakes } = await start(t)
    const visitor = await open('desk')
    const operator = await open('operator', { viewport: phone })
    await begin(operator, 'operator', 'Olga')
    await see(operator, '#operator-queue', 'Nobody is waiting')
    await begin(visitor, 'desk', 'Ada')
    await say(visitor, 'When are you open?')
    await see(visitor, '#desk-log .line:not(.own)', '9 to 17')

    await visitor.getByRole('button', { name: 'Talk to a human' }).click()
    await see(visitor, '#desk-with', 'number 1 in the queue')
    await see(operator, '#operator-queue', '1 waiting')
    await visitor.getByRole('button', { name: '20 messages' }).click()
    await see(visitor, '#desk-tally', 'by Bot')
    await operator.getByRole('button', { name: 'Take the next visitor' }).click()
    await see(visitor, '#desk-with', 'You are talking to Olga')
    await see(operator, '#operator-logs', 'When are you open?')
    await see(visitor, '#desk-tally', 'by Olga')
    await operator.getByRole('textbox', { name: 'Message' }).fill('Hello, Olga here')
    await operator.keyboard.press('Enter')
    await see(visitor, '#desk-log .line:not(.own)', 'Hello, Olga here')
    await operator.getByRole('button', { name: 'Hand back to the bot' }).click()
    await see(visitor, '#desk-with', 'You are talking to the bot')
    await see(visitor, '#desk-tally', /^20 of 20 sent.* 0 missing, 0 twice\.$/)
    await see(operator, '#operator-logs', 'Ada is with the bot again')
    await say(visitor, 'What is the price?')
    await see(visitor, '#desk-log .line:not(.own)', 'The small one is 10')
    await picture(t, visitor, 'visitor')
    await picture(t, operator, 'operator')
    t.same(mistakes, [])
  }
)

t.test(
  'hands a visitor back to the bot when the operator closes the window',
  { skip },
  async (t) => {
    const { open, mistakes } = await start(t)
    const visitor = await open('desk')
    const operator = await open('operator')
    await begin(operator, 'operator', 'Olga')
    await begin(visitor, 'desk', 'Ada')
    await visitor.getByRole('button', { name: 'Talk to a human' }).click()
    await operator.getByRole('button', { name: 'Take the next visitor' }).click()
    await see(visitor, '#desk-with', 'You are talking to Olga')
    await operator.close()
    await see(visitor, '#desk-with', 'You are talking to the bot')
    await see(visitor, '#desk-state .pill', 'Connected')
    t.same(mistakes, [])
  }
)

t.test(
  'updates the list of processes when rooms and sockets start and end',
  { skip },
  async (t) => {
    const { app, open, mistakes } = await start(t)
    const page = await open('chat')
    await see(page, '#processes-rows tr', 'bot')
    await enter(page, 'Ada', 'library')
    await see(page, '#processes-rows tr[data-kind=process]', '@room/library')
    await see(page, '#processes-rows tr[data-kind=ws]', 'to @room/library')
    const pids = await page.locator('#processes-rows .pid').allInnerTexts()
    const started = pids.map((pid) => parseInt(pid))
    t.same(
      started,
      [...started].sort((a, b) => b - a),
      'the newest processes come first'
    )
    const heads = await page.locator('#processes thead th').allInnerTexts()
    const explained = await page.locator('#processes caption').innerText()
    for (const head of heads.slice(1)) t.match(explained, `${head}:`)
    closeAll(app, '@room/library', 1000)
    await see(page, '#chat-log', 'Closed with 1000')
    await page
      .locator('#processes-rows tr[data-kind=ws]')
      .filter({ hasText: '@room/library' })
      .first()
      .waitFor({ state: 'detached' })

    const small = await open('chat', { viewport: phone })
    t.notOk(await small.getByRole('heading', { name: 'Live processes' }).isVisible())
    await small.getByRole('link', { name: 'Processes' }).click()
    await see(small, '#processes-rows tr', 'census')
    await picture(t, small, 'processes')
    t.same(mistakes, [])
  }
)

t.test('says that the server is shutting down, and waits for it', { skip }, async (t) => {
  const { app, open } = await start(t)
  const page = await open('chat')
  await enter(page, 'Ada')
  await app.close()
  await see(
    page,
    '#chat-log',
    'Closed with 1001 “server shutting down”: the server is shutting down'
  )
  await see(page, '#chat-state .pill', 'Reconnecting')
})

t.test('works with the keyboard alone, and fits on a phone', { skip }, async (t) => {
  const { open } = await start(t)
  const page = await open('', { viewport: phone })
  await page.keyboard.press('Tab')
  await page.locator('.skip:focus').waitFor()
  await page.getByRole('textbox', { name: 'Your name' }).focus()
  await page.keyboard.press('Control+A')
  await page.keyboard.type('Ada')
  await page.keyboard.press('Enter')
  await see(page, '#chat-state .pill', 'Connected')
  await page.locator('#chat-text:focus').waitFor()
  await page.keyboard.type('x'.repeat(200))
  await page.keyboard.press('Enter')
  await see(page, '#chat-log .bubble', 'xxx')
  for (const view of ['chat', 'desk', 'operator', 'processes']) {
    await page.goto(`${page.url().split('#')[0]}#${view}`)
    await page.locator(`body[data-view=${view}]`).waitFor()
    t.equal(await page.evaluate(() => document.documentElement.scrollWidth), phone.width, view)
  }
})

t.test('leaves out parts that the server does not have', { skip }, async (t) => {
  const { open, mistakes } = await start(t, async () => {
    const app = Fastify()
    await app.register(wsRelay)
    await app.register(chat)
    await servePage(app, ['chat'])
    return app
  })
  const page = await open('desk')
  t.same(await page.getByRole('navigation').getByRole('link').allInnerTexts(), ['Chat'])
  t.equal(await page.locator('#processes, #desk, #chat-rooms').count(), 0)
  await enter(page, 'Ada')
  await say(page, '/crash')
  await see(page, '#chat-log .good', 'The room has crashed and was started again')
  t.same(mistakes, [])
})
