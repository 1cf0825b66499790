// The pages of the examples, which load the client without a bundler.
import t, { type Test } from 'tap'
import type { FastifyInstance } from 'fastify'
import type { Page } from 'playwright-core'
import { see, skip, windows } from './fixtures/pages.js'

/** Serves an example. It is imported here, so that nothing starts when the tests are skipped. */
async function start (t: Test, name: string) {
  const { app } = await import(`../../examples/${name}.js`) as { app: FastifyInstance }
  t.teardown(() => app.close())
  const address = await app.listen({ port: 0, host: '127.0.0.1' })
  const { open, mistakes } = windows(t, [address])
  return { app, open: (hash: string) => open(`${address}/#${hash}`, {}, '#text'), mistakes }
}

async function write (page: Page, text: string) {
  await page.locator('#text').fill(text)
  await page.keyboard.press('Enter')
}

t.test('a room shows its messages to everyone who is in it', { skip }, async (t) => {
  const { open, mistakes } = await start(t, 'rooms')
  const ada = await open('tea/ada')
  await write(ada, 'Good <b>morning</b>')
  const grace = await open('tea/grace')
  await see(grace, 'li', 'ada: Good <b>morning</b>')
  await write(grace, 'Hello')
  await see(ada, 'li', 'grace: Hello')
  t.equal(await ada.title(), 'open')
  t.strictSame(mistakes, [])
})

t.test('an agent answers, until it is cancelled', { skip }, async (t) => {
  const { open, mistakes } = await start(t, 'agent')
  const page = await open('')
  await write(page, 'What is tea?')
  await see(page, '#answer', 'You asked: What is tea?')
  await write(page, 'tea '.repeat(240))
  await see(page, '#answer', 'tea tea')
  await page.locator('#cancel').click()
  await see(page, '#answer', '(CANCELLED)')
  t.strictSame(mistakes, [])
})

t.test('a notice reaches the page of its user', { skip }, async (t) => {
  const { app, open, mistakes } = await start(t, 'notify')
  const ada = await open('ada')
  const grace = await open('grace')
  // A notice reaches the connections that are in the group of their user.
  const { groups } = app.processes
  while (groups.members('ada').length === 0) await new Promise(setImmediate)
  await write(grace, 'tea is ready')
  await see(ada, 'li', 'tea is ready')
  t.equal(await grace.locator('li').count(), 0)
  t.strictSame(mistakes, [])
})
