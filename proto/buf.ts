import { execFileSync } from 'node:child_process'
import { findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'

/** Runs buf in a folder; throws an error whose message holds what buf said. */
export function buf(folder: string, ...args: string[]): void {
  // Its plugins are scripts, for which a Node.js must be found.
  const env = { ...process.env, PATH: `${dirname(process.execPath)}:${process.env.PATH}` }
  execFileSync(bufBinary(), args, { cwd: folder, stdio: ['ignore', 'inherit', 'pipe'], env })
}

/** The platform's own binary: npm may be told not to run the script that would link it. */
export function bufBinary(): string {
  const arch = process.platform === 'linux' && process.arch === 'arm64' ? 'aarch64' : process.arch
  return join(packageFolder(`@bufbuild/buf-${process.platform}-${arch}`), 'bin/buf')
}

/** The folder of an installed package. */
export function packageFolder(name: string): string {
  const manifest = findPackageJSON(name, import.meta.url)
  if (!manifest) throw new Error(`${name} is not installed; run npm install`)
  return dirname(manifest)
}
