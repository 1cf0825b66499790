import { suites } from './suites.js'

await suites('memory')
