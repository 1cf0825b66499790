// The program that watches a dashboard: the port of its server is the argument.
import WebSocket from 'ws'

const socket = new WebSocket(`ws://127.0.0.1:${process.argv[2]}/processes/socket`)
socket.on('open', () => {
  for (const request of [{ view: 'overview' }, { view: 'processes', sort: '-mailbox' }]) {
    socket.send(JSON.stringify(request))
  }
})
socket.on('close', () => process.exit())
socket.on('error', () => process.exit(1))
