/**
 * Runs a TypeScript file of this repository on a machine that has only Node.js 20.19 and npm:
 *
 *   node services/local/bootstrap.mjs <script.ts> [arguments]
 *
 * It installs the packages when they are missing or the lock file changed, generates what is derived from the contracts,
 * and runs the script under the Node.js 24 that the packages bring. Plain JavaScript without imports from node_modules,
 * because it runs before they exist.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')
const modules = join(root, 'node_modules')
const installStamp = join(modules, '.flowforge-installed')
const generateStamp = join(root, 'proto/gen/.flowforge-generated')
const preparing = join(root, '.flowforge-preparing')

const [script, ...scriptArguments] = process.argv.slice(2)
if (!script) fail('usage: node services/local/bootstrap.mjs <script.ts> [arguments]')
if (!isInstalled() || !isGenerated()) await exclusively(prepare)
run(script, scriptArguments)

function prepare() {
  if (!isInstalled()) install()
  if (!isGenerated()) generate()
}

function install() {
  say('Installing packages: once, about a minute.')
  const npm = process.env.npm_execpath?.endsWith('.js') ? [process.execPath, process.env.npm_execpath] : ['npm']
  // No package's own install script is needed, and newer versions of npm would not run them anyway.
  const flags = [
    'ci',
    '--ignore-scripts',
    '--include=dev',
    '--include=optional',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]
  const done = spawnSync(npm[0], [...npm.slice(1), ...flags], { cwd: root, stdio: 'inherit' })
  if (done.status !== 0) fail('npm ci failed; its message is above. Nothing was started.')
  writeFileSync(installStamp, lockHash())
}

function generate() {
  say('Generating types and descriptors from the contracts.')
  const program = "const { generate } = await import('./proto/generate.ts'); generate()"
  const done = spawnSync(modernNode(), ['--input-type=module', '--eval', program], { cwd: root, stdio: 'inherit' })
  if (done.status !== 0) fail('proto/generate.ts failed; its message is above. Nothing was started.')
  writeFileSync(generateStamp, contractsHash())
}

/** Runs the script and ends as it ends: with its exit code or by its signal. */
function run(file, args) {
  const node = modernNode()
  const path = [join(modules, '.bin'), process.env.PATH].join(delimiter)
  const env = { ...process.env, PATH: path, FLOWFORGE_CALLER_DIRECTORY: process.env.INIT_CWD ?? process.cwd() }
  const child = spawn(node, [resolve(root, String(file)), ...args], { stdio: 'inherit', env })
  // A terminal sends Ctrl-C to both; whoever is told twice must count that as once.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', ({ message }) => fail(`${String(node)} cannot be started: ${message}`))
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)))
}

function isInstalled() {
  if (!existsSync(join(modules, '.package-lock.json'))) return false
  if (read(installStamp) === lockHash()) return true
  if (!matchesLock()) return false
  writeFileSync(installStamp, lockHash())
  return true
}

/** Whether somebody's own `npm install` already brought what the lock asks for. */
function matchesLock() {
  const wanted = JSON.parse(read(join(root, 'package-lock.json'))).packages
  const present = JSON.parse(read(join(modules, '.package-lock.json'))).packages
  return Object.entries(wanted).every(
    ([path, { link, optional, version }]) =>
      !path.startsWith('node_modules/') || optional || link || present[path]?.version === version,
  )
}

function isGenerated() {
  return read(generateStamp) === contractsHash()
}

function lockHash() {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
}

function contractsHash() {
  const hash = createHash('sha256')
  const sources = readdirSync(join(root, 'proto/flowforge'), { recursive: true }).filter((name) =>
    name.endsWith('.proto'),
  )
  for (const name of sources.sort((a, b) => (a < b ? -1 : 1)))
    hash.update(name).update(readFileSync(join(root, 'proto/flowforge', name)))
  hash.update(readFileSync(join(root, 'proto/generate.ts')))
  return hash.digest('hex')
}

/** The Node.js 24 of the platform's npm package; this very Node.js where that one does not run and this one is new enough. */
function modernNode() {
  const packaged = join(modules, '.bin/node')
  if (existsSync(packaged) && spawnSync(packaged, ['--version'], { stdio: 'ignore' }).status === 0) return packaged
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major > 22 || (major === 22 && minor >= 18)) return process.execPath
  return fail(
    `There is no packaged Node.js for ${process.platform}-${process.arch}: install Node.js 22.18 or newer (this is ${process.version}).`,
  )
}

/** Two commands started at once on a fresh clone must not install over each other: the later one waits. */
async function exclusively(work) {
  for (let waited = false; ; waited = true) {
    try {
      mkdirSync(preparing)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
    }
    if (!waited) say('Another command is installing or generating; waiting for it.')
    if (isAbandoned()) rmSync(preparing, { recursive: true, force: true })
    else await delay(300)
  }
  const release = () => rmSync(preparing, { recursive: true, force: true })
  process.once('exit', release)
  writeFileSync(join(preparing, 'pid'), String(process.pid))
  work()
  process.removeListener('exit', release)
  release()
}

function isAbandoned() {
  const pid = Number(read(join(preparing, 'pid')))
  try {
    if (pid) return !process.kill(pid, 0)
    // Its owner died between making the folder and writing its number, or is just about to write it.
    return Date.now() - statSync(preparing).mtimeMs > 5_000
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

function read(file) {
  return existsSync(file) ? readFileSync(file, 'utf8') : ''
}

function say(text) {
  process.stderr.write(`${text}\n`)
}

function fail(text) {
  say(text)
  process.exit(1)
}
