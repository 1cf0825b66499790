// A server with one ordinary route. The argument `relay` registers the plugin before it.
import Fastify from 'fastify'
import wsRelay from '../../lib/index.js'
import { listen } from './usage.js'

const app = Fastify()
if (process.argv[2] === 'relay') await app.register(wsRelay)
app.get('/', (_request, reply) => { reply.send({ hello: 'world' }) })
await listen(app)
