// Compiles `native/` as its installation does, and links it into `node_modules/`, where lib finds
// it as it does for users. Without a compiler it says so and ends with 0: everything works without.
import { spawnSync } from 'node:child_process'
import { existsSync, rmSync, symlinkSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const native = join(root, 'native')
const link = join(root, 'node_modules/fastify-ws-relay-native')

/** npm has node-gyp in the PATH of the scripts of packages. */
function pathWithGyp () {
  const npm = spawnSync('npm', ['root', '--global'], { encoding: 'utf8' }).stdout?.trim() ?? ''
  const folder = 'npm/node_modules/@npmcli/run-script/lib/node-gyp-bin'
  return [join(npm, folder), process.env.PATH].join(delimiter)
}

/** Headers that npm is configured to use, or none. */
function configuredHeaders () {
  const { stdout } = spawnSync('npm', ['config', 'get', 'nodedir'], { encoding: 'utf8' })
  return stdout?.trim() ?? ''
}

for (const folder of ['build', 'prebuilds']) {
  rmSync(join(native, folder), { recursive: true, force: true })
}
const env = { ...process.env, PATH: pathWithGyp(), npm_config_nodedir: configuredHeaders() }
spawnSync(process.execPath, ['install.js'], { cwd: native, env, stdio: 'inherit' })
rmSync(link, { recursive: true, force: true })
if (existsSync(join(native, 'build/Release/send_many.node'))) symlinkSync('../native', link, 'dir')
