import { missing } from '../../installed.js'
import { suites } from './suites.js'

await suites('redis', missing('redis-server'))
