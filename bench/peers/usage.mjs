// GET /usage: what this process has used so far; `?gc` collects garbage before (needs --expose-gc).
export function usage (url) {
  if (url.endsWith('?gc')) for (let i = 0; i < 3; i++) globalThis.gc()
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  return JSON.stringify({ cpu: user + system, rss, heapUsed })
}

/** Tells the rig where the server is, and stops when told to. */
export function announce (server) {
  console.log(JSON.stringify({ port: server.address().port }))
  process.on('SIGTERM', () => process.exit())
}

export const listenOptions = { port: 0, host: '127.0.0.1', backlog: 4096 }
