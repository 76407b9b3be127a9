#!/usr/bin/env node
// Plain JavaScript for any Node.js from 20.19 on: older ones cannot read TypeScript, so this runs itself again
// under the Node.js 24 that npm installed beside the other packages.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const [major, minor] = process.versions.node.split('.').map(Number)

if (major > 22 || (major === 22 && minor >= 18)) {
  const { run } = await import('./main.ts')
  process.exitCode = await run(process.argv.slice(2))
} else {
  process.exitCode = runUnder(newerNode())
}

function runUnder(node) {
  if (!node) {
    console.error(
      `flowforge needs Node.js 22.18 or newer, and this is ${process.version}; run \`npm install\` to get one`,
    )
    return 2
  }
  const { status, error } = spawnSync(node, process.argv.slice(1), { stdio: 'inherit' })
  if (error) console.error(`flowforge: cannot start ${node}: ${error.message}`)
  return status ?? 1
}

function newerNode() {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const node = join(folder, 'node_modules', '.bin', 'node')
    if (existsSync(node)) return node
    if (folder === dirname(folder)) return undefined
  }
}
