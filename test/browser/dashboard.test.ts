// The page of the dashboard in Chromium.
import { once } from 'node:events'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import WebSocket from 'ws'
import { build as buildDemo } from '../../examples/demo/app.js'
import { dashboard, type Action } from '../../lib/dashboard/index.js'
import { build, until } from '../helpers.js'
import { enter, phone, picture, see, skip, stopTime, windows } from './fixtures/pages.js'
import type { Process } from '../../lib/index.js'
import type { OverviewAnswer, ServerTopics } from '../../lib/dashboard/index.js'

const views = ['overview', 'connections', 'processes', 'supervision', 'groups', 'nodes', 'ends']

/** Markup that would run code, in every text that an application or a client can choose. */
const hostile = '<img src=x onerror="document.body.dataset.hacked=1"><script>alert(1)</script>`"\''

/** Shows a view, and waits for its rows. */
async function show (page: Page, view: string, heading: string | RegExp) {
  await page.evaluate((hash) => { window.location.hash = hash }, view)
  await page.getByRole('heading', { level: 1, name: heading }).waitFor()
}

/** The overviews that the page has got, with the ends that were new in them. */
function overviewsOf (page: Page) {
  const overviews: OverviewAnswer[] = []
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => {
      const { topic, data } = JSON.parse(String(payload)) as {
        topic: keyof ServerTopics, data: OverviewAnswer
      }
      if (topic === 'answer' && data.view === 'overview') overviews.push(data)
    })
  })
  return overviews
}

/** The ids of the watches that the page has, on the sockets that it opens from now on. */
function watchesOf (page: Page) {
  const ids = new Set<unknown>()
  page.on('websocket', (socket) => {
    ids.clear()
    socket.on('framesent', ({ payload }) => {
      const { id, view } = JSON.parse(String(payload)) as { id: unknown, view: unknown }
      if (view === null) ids.delete(id)
      else ids.add(id)
    })
  })
  return ids
}

/**
 * A server with hostile names: a supervisor with a process that can be made to fail, and two that
 * are linked to it; a connection; a group.
 */
async function hostileServer (t: Test, actions: Action[] | false = false) {
  const app = await build(t)
  const { processes } = app
  await app.register(dashboard, { prefix: '/inside', unprotected: true, actions })
  const body = async (self: Process<{ fail: undefined }>) => {
    await self.serve({ fail: () => { throw new Error(hostile) } }, () => {})
  }
  Object.defineProperty(body, 'name', { value: hostile })
  processes.supervise({
    name: `supervisor ${hostile}`,
    children: [{ id: hostile, name: `room ${hostile}`, start: body, restart: 'permanent' }]
  })
  const room = () => processes.names.lookup(`room ${hostile}`)!
  const target = processes.spawn(body)
  for (let i = 0; i < 2; i++) {
    processes.spawn(async (self: Process) => {
      self.groups.join(hostile, self.pid)
      self.link(room())
      await self.serve({}, () => {})
    })
  }
  app.get('/ws', (_request, reply) => { reply.relay(target).send() })
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, address, room, target, ...windows(t, [address]) }
}

t.test(
  'shows within two answers that a room has crashed, why, and its restart',
  { skip },
  async (t) => {
    const app = await buildDemo()
    app.log.level = 'silent'
    t.teardown(() => app.close())
    const address = await app.listen({ port: 0, host: '127.0.0.1' })
    const { open, mistakes } = windows(t, [address])
    const chat = await open(`${address}/#chat`)
    await enter(chat, 'Ada')
    const link = chat.getByRole('link', { name: 'dashboard' })
    const page = await open(new URL(await link.getAttribute('href') ?? '', address).href)
    const overviews = overviewsOf(page)
    await page.reload() // the listener sees the socket of this load
    await see(page, 'main', 'No process of this node has crashed')

    await chat.getByRole('button', { name: 'Crash this room' }).click()
    await see(chat, '#chat-log .good', 'The room has crashed and was started again')
    await see(page, '.ends', '@room/lobby')
    const first = overviews.findIndex(({ recent }) => recent.length > 0)
    const [end] = overviews[first].recent
    const without = overviews.slice(0, first).filter(({ at }) => at > end.at)
    t.ok(without.length < 2, 'it is in the first or second answer after the crash')
    const crash = page.locator('.ends li').first()
    t.match(await crash.innerText(), /failed[^]*Error: a client asked this room to crash/)
    await see(page, '[role=status]', 'a client asked this room to crash')
    await see(page, '.ends li', /Restarted/)
    await see(page, '.views', /Ends\s*1/)

    await crash.getByRole('link', { name: 'Explain' }).click()
    await page.getByRole('heading', { level: 1, name: '@room/lobby ended' }).waitFor()
    await see(page, '.sentence', 'failed')
    await page.getByRole('link', { name: 'Go to its successor' }).click()
    await page.getByRole('heading', { level: 1, name: '@room/lobby waiting' }).waitFor()

    await page.getByRole('link', { name: 'Watch messages' }).click()
    await see(page, '.card', 'Nothing yet')
    await chat.getByRole('textbox', { name: 'Message' }).fill('hello')
    await chat.keyboard.press('Enter')
    await see(page, '.tap li', /received\s*ws.message from connection/)
    await see(page, '.tap li', /sent\s*line to connection/)
    await page.goBack()
    await page.getByRole('button', { name: 'End now…' }).click()
    await page.getByRole('dialog', { name: 'End the process now' }).waitFor()
    await page.keyboard.press('Enter')
    await see(page, '[role=status]', 'End the process now: done, for @room/lobby')
    await page.getByRole('heading', { level: 1, name: '@room/lobby ended' }).waitFor()
    await see(page, '.sentence', 'shutdown')
    await picture(t, page, 'explained')
    t.same(mistakes, [])
  }
)

t.test(
  'shows hostile text as text, on a phone without scrolling sideways',
  { skip },
  async (t) => {
    const { app, address, room, target, open, mistakes } = await hostileServer(t)
    const page = await open(`${address}/inside/`, { viewport: phone, colorScheme: 'dark' })
    const socket = new WebSocket(`${address.replace('http', 'ws')}/ws`)
    await once(socket, 'open')
    const failed = room()
    app.processes.send(failed, 'fail', undefined)
    await see(page, '.ends li', '2 others ended with it')
    await see(page, '.ends li', `Error: ${hostile}`)
    await see(page, '.ends .back', 'Restarted')
    socket.close(4000, hostile.slice(0, 99))
    await once(socket, 'close')
    app.processes.exit(target, hostile)

    const isSafe = async (name: string) => {
      t.equal(await page.locator('img, script:not([src]), [onerror]').count(), 0, name)
      t.equal(await page.evaluate(() => document.body.dataset.hacked), undefined, name)
      t.equal(await page.evaluate(() => document.documentElement.scrollWidth), phone.width, name)
    }
    for (const view of views) {
      await show(page, view, new RegExp(view, 'i'))
      await see(page, 'main', view === 'connections' || view === 'nodes' ? /1/ : hostile)
      await isSafe(view)
    }
    await show(page, `process/${encodeURIComponent(failed)}`, /ended/)
    await see(page, '.sentence', '<script>')
    await isSafe('explanation')
    await show(page, `process/${encodeURIComponent(room())}`, /waiting/)
    t.equal(await page.getByRole('button', { name: '…' }).count(), 0, 'no actions')
    await isSafe('process')
    await show(page, `tap/${encodeURIComponent(room())}`, 'Messages')
    await see(page, '.card', 'Nothing yet')
    app.processes.send(room(), hostile as never, undefined as never)
    await see(page, '.tap li', hostile)
    await isSafe('tap')
    await picture(t, page, 'hostile')
    t.same(mistakes, [])
  }
)

/** The elements that a screen reader could not tell from others, because they have no name. */
async function nameless (page: Page): Promise<string[]> {
  return await page.evaluate(() => {
    const all = document.querySelectorAll('a, button, input, select, table, section, nav, [role=img]')
    return [...all].filter((element) => {
      const label = element.getAttribute('aria-label') ??
        document.getElementById(element.getAttribute('aria-labelledby') ?? '')?.textContent
      const isNamedByText = element.matches('a, button')
      const text = element.querySelector('caption')?.textContent ??
        (isNamedByText ? element.textContent : '')
      return (label ?? text)?.trim() === ''
    }).map(({ outerHTML }) => outerHTML.slice(0, 200))
  })
}

t.test(
  'works by keyboard and screen reader, keeps its view, and comes back',
  { skip },
  async (t) => {
    const { app, address, open, mistakes } = await hostileServer(t, ['cancel'])
    for (let i = 0; i < 3; i++) {
      const pid = app.processes.spawn(async function room (self) {
        await self.receive({ topic: 'never' })
      })
      for (let n = 0; n < i; n++) app.processes.send(pid, 'mail' as never, undefined as never)
    }
    const page = await open(`${address}/inside#connections`)
    await page.keyboard.press('Tab')
    await page.locator('.skip:focus').waitFor()
    await page.keyboard.press('Enter')
    await page.locator('main:focus').waitFor()
    t.match(page.url(), /#connections$/, 'the skip link is no view')
    await page.getByRole('navigation', { name: 'Views' }).getByRole('link', { name: 'Processes' })
      .focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Processes' }).waitFor()
    await page.locator('main:focus').waitFor()
    t.equal(await page.locator('[aria-current=page]').innerText().then((text) => text.slice(0, 9)),
      'Processes')

    await page.getByRole('button', { name: 'Mailbox' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('columnheader', { name: 'Mailbox' }).and(page.locator('[aria-sort=descending]'))
      .waitFor()
    await page.locator('tbody tr').first().filter({ hasText: /room[^]*2/ }).waitFor()
    await page.locator('thead button:focus').waitFor()
    await page.getByRole('searchbox', { name: 'Filter processes' }).fill('ROOM')
    await see(page, '.foot', 'match')
    t.match(page.url(), /sort=-mailbox&filter=ROOM/)
    await page.reload()
    await see(page, '.foot', 'match')
    t.equal(await page.getByRole('searchbox').inputValue(), 'ROOM')
    t.equal(await page.locator('[aria-sort=descending]').innerText(), 'Mailbox')

    for (const view of views) {
      await show(page, view, new RegExp(view, 'i'))
      t.equal(await page.getByRole('heading', { level: 1 }).count(), 1, view)
      t.same(await nameless(page), [], view)
    }
    for (const role of ['banner', 'main', 'status'] as const) {
      t.equal(await page.getByRole(role).count(), 1, role)
    }

    await show(page, 'process/', 'This view cannot be shown')
    await page.getByRole('button', { name: 'Try again' }).click()
    await show(page, 'groups', 'Groups')

    const watched = watchesOf(page)
    await stopTime(page) // so that the page does not come back before the test has looked
    const viewers = app.processes.list().filter((pid) => app.processes.info(pid)?.kind === 'ws')
    for (const pid of viewers) app.processes.send(pid, 'ws.close', { code: 1012 })
    await see(page, '.banner', 'The connection to the server is lost')
    await see(page, '[role=status]', 'The connection to the server is lost')
    await page.clock.runFor(2000) // the backoff
    await see(page, '.link-state', 'Live')
    await see(page, '[role=status]', 'The page is connected again')
    await page.getByRole('button', { name: 'Pause' }).click()
    await see(page, '.link-state', 'Paused')
    await until(() => watched.size === 0)
    await page.getByRole('button', { name: 'Pause' }).click()
    await until(() => watched.size === 3)
    t.same(mistakes, [])
  }
)
