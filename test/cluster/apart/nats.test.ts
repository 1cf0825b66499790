import { missing } from '../fixtures/servers.js'
import { suites } from './suites.js'

await suites('nats', missing('nats-server'))
