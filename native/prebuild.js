// Copies the compiled binary to the place from which the package ships it. A release runs this on
// each platform: Linux x64 and arm64, each with glibc and with musl.
import { copyFileSync, mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { built, prebuilt } from './binary.js'

const target = prebuilt()
mkdirSync(dirname(target), { recursive: true })
copyFileSync(built, target)
console.log(target)
