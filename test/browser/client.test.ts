// The built client in Chromium.
import t from 'tap'
import { dataOf, holds, reference, site, skip, sleep, type ClientWindow } from './fixtures/client-page.js'
import type { WebSocket } from 'ws'

declare const window: ClientWindow & EventTarget

t.test('keeps its session over cuts, each message once and in order', { skip }, async (t) => {
  const { server, serve, terminate } = reference()
  const { page, mistakes } = await site(t, serve)
  await holds(page, "socket.state === 'open'")
  for (let i = 0; i < 5; i++) {
    server.send(`down ${i}`)
    await page.evaluate((n) => { window.socket.send(`up ${n}`) }, i)
    terminate()
    server.send(Uint8Array.of(i))
    await holds(page, `states.at(-1).resumed === true && received.length === ${2 * i + 2}`)
    await page.evaluate(() => window.socket.delivered())
  }
  t.strictSame(server.sessions.length, 1)
  t.strictSame(server.last!.inbox, [0, 1, 2, 3, 4].map((n) => `up ${n}`))
  const received = await page.evaluate(() => window.received
    .map((data) => typeof data === 'string' ? data : new Uint8Array(data)[0]))
  t.strictSame(received, [0, 1, 2, 3, 4].flatMap((n) => [`down ${n}`, n]))
  t.strictSame(mistakes, [])
})

t.test('tries at once when the network is back', { skip }, async (t) => {
  const { server, serve, terminate } = reference()
  const { page, context } = await site(t, serve)
  await holds(page, "socket.state === 'open'")
  await context.setOffline(true)
  terminate() // The switch leaves an open socket alone.
  server.send('missed')
  await holds(page, "states.filter(({ why }) => why === 'handshake').length > 0")
  await context.setOffline(false)
  await holds(page, "socket.state === 'open' && received[0] === 'missed'")
  t.equal(server.sessions.length, 1)
})

t.test('asks for a sign of life when the page is seen or restored', { skip }, async (t) => {
  const { serve } = reference()
  const frames: string[] = []
  const { page } = await site(t, (socket, protocols) => {
    serve(socket, protocols)
    socket.on('message', (data, isBinary) => { frames.push(String(dataOf(data, isBinary))) })
  })
  await holds(page, "socket.state === 'open'")
  for (const event of [
    "document.dispatchEvent(new Event('visibilitychange', { bubbles: true }))",
    "dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))",
    "dispatchEvent(new Event('online'))"
  ]) {
    await page.evaluate(event)
    await page.evaluate(() => {
      window.socket.send('x')
      return window.socket.delivered()
    })
    t.strictSame(frames.splice(0).filter((frame) => frame !== '\0a0'), ['\0p', 'x', '\0p'], event)
  }
  await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))")
  t.equal(await page.evaluate(() => window.socket.state), 'open')
})

t.test('asks for a sign of life after a sleep, and misses nothing', { skip }, async (t) => {
  const { server, serve, terminate } = reference()
  const frames: string[] = []
  const { page } = await site(t, (socket, protocols) => {
    serve(socket, protocols)
    socket.on('message', (data, isBinary) => { frames.push(String(dataOf(data, isBinary))) })
  })
  // Timers of the page fire late without a wait of half a minute: see `fastForward` below.
  await page.clock.install()
  await page.reload()
  await holds(page, "socket.state === 'open'")
  const wake = await sleep(t)
  server.send('in the night')
  wake()
  await holds(page, "received[0] === 'in the night'")
  frames.length = 0
  await page.clock.fastForward(60_000) // each timer fires once, and late
  await page.evaluate(() => {
    window.socket.send('x')
    return window.socket.delivered()
  })
  t.strictSame(frames.filter((frame) => !frame.startsWith('\0a')), ['\0p', 'x', '\0p'])

  const wakeAgain = await sleep(t)
  terminate()
  server.send('without a socket')
  wakeAgain()
  await page.clock.runFor(1000) // the backoff
  await holds(page, "states.at(-1).resumed === true && received[1] === 'without a socket'")
  t.equal(server.sessions.length, 2, 'one before the reload, and one after it')
})

t.test('goes on when a frozen page is thawed', { skip }, async (t) => {
  const { server, serve, terminate } = reference()
  const { context, page, mistakes } = await site(t, serve)
  await holds(page, "socket.state === 'open'")
  const session = await context.newCDPSession(page)
  await session.send('Page.setWebLifecycleState', { state: 'frozen' })
  server.send('meanwhile')
  terminate()
  await session.send('Page.setWebLifecycleState', { state: 'active' })
  await holds(page, "socket.state === 'open' && received[0] === 'meanwhile'")
  t.equal(server.sessions.length, 1)
  t.strictSame(mistakes, [])
})

t.test('works again when a user comes back to its page', { skip }, async (t) => {
  const { server, serve } = reference()
  const { page, address } = await site(t, serve)
  await holds(page, "socket.state === 'open'")
  await page.evaluate(() => { document.title = 'the same page' })
  await page.goto(`${address}/empty`)
  server.send('meanwhile')
  // A page out of the cache has no event `load`.
  await page.goBack({ waitUntil: 'commit' })
  await holds(page, "socket.state === 'open'")
  const wasRestored = await page.title() === 'the same page'
  t.comment(wasRestored ? 'out of the back/forward cache' : 'loaded anew')
  if (wasRestored) await holds(page, "received[0] === 'meanwhile'")
  await page.evaluate(() => { window.socket.send('back') })
  await page.evaluate(() => window.socket.delivered())
  t.strictSame(server.last!.inbox, ['back'])
  t.equal(server.sessions.length, wasRestored ? 1 : 2)
})

function echo (socket: WebSocket): void {
  socket.on('message', (data, isBinary) => { socket.send(data, { binary: isBinary }) })
  socket.on('error', () => {})
}

t.test('reconnects to a `ws` server, which echoes the offer', { skip }, async (t) => {
  const { page, sockets, offers } = await site(t, echo)
  await page.evaluate(() => { window.socket.send('early') })
  await holds(page, "received[0] === 'early'")
  for (const each of sockets.clients) each.terminate()
  await holds(page, "states.filter(({ state }) => state === 'open').length === 2")
  await page.evaluate(() => { window.socket.send('again') })
  await holds(page, "received[1] === 'again'")
  t.strictSame(offers, [['v1.ws-relay'], []])
})

t.test('reaches a server that answers no offer at the second try', { skip }, async (t) => {
  const { page, offers } = await site(t, echo, false)
  await page.evaluate(() => { window.socket.send('hello') })
  await holds(page, "received[0] === 'hello'")
  t.strictSame(offers, [['v1.ws-relay'], []])
})
