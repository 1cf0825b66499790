// The check of the built client that `npm run test:matrix` runs on each runtime, with its own
// `WebSocket`: `<runtime> scripts/client-check.mjs <path of the client> <port> <control port>`.
// It uses nothing that only Node has, except `process` for arguments.
const [clientPath, port, control] = globalThis.process.argv.slice(2)
const { connect } = await import(clientPath)

const states = []
const received = []
const total = 60
const socket = connect(`ws://127.0.0.1:${port}/echo`, { backoff: { min: 20, max: 200 } })
socket.on('state', (event) => { states.push(event) })
const state = (wanted) => new Promise((resolve) => {
  const remove = socket.on('state', (event) => {
    if (event.state !== wanted && event.state !== 'closed') return
    remove()
    resolve(event)
  })
})
const tell = (order) => fetch(`http://127.0.0.1:${control}/${order}`)

await state('open')
const all = new Promise((resolve) => {
  socket.on('message', (data) => {
    received.push(data)
    if (received.length === total) resolve()
  })
})
let resets = 0
socket.on('reset', () => { resets++ })
for (let n = 0; n < total; n++) {
  socket.send(String(n))
  // Three cuts with refused handshakes behind them.
  if (n % 20 !== 10) continue
  const away = state('away')
  await tell('cut')
  const { code } = await away
  if (code !== 1006) throw new Error(`a lost connection has the code ${code}`)
  const failed = state('away')
  const { state: next, code: second } = await failed
  if (next !== 'away' || second !== 1006) throw new Error(`a failed handshake: ${next}, ${second}`)
  const open = state('open')
  await tell('mend')
  await open
}
await all
await socket.delivered()
const isInOrder = received.every((data, n) => data === String(n))
if (!isInOrder || resets > 0) throw new Error(`received ${received}, ${resets} resets`)
socket.close()
const sockets = states.filter(({ state }) => state === 'open').length
console.log(`${total} messages each way over ${sockets} sockets`)
globalThis.process.exit(0)
