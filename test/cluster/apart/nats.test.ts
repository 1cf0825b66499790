import { missing } from '../../installed.js'
import { suites } from './suites.js'

await suites('nats', missing('nats-server'))
