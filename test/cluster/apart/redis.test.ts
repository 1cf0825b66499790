import { missing } from '../fixtures/servers.js'
import { suites } from './suites.js'

await suites('redis', missing('redis-server'))
