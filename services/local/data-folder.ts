import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Where everything of one local system lies; the layout that README and docs promise. */
export interface DataFolder {
  path: string
  postgres: string
  certificates: string
  apiKey: string
  secrets: string
  run: string
  log: string
}

/** Names the parts of a data folder and creates the folders that hold files of the launcher. */
export function openDataFolder(path: string): DataFolder {
  const folder: DataFolder = {
    path,
    postgres: join(path, 'postgres'),
    certificates: join(path, 'certificates'),
    apiKey: join(path, 'api-key'),
    secrets: join(path, 'secrets.json'),
    run: join(path, 'run'),
    log: join(path, 'log'),
  }
  for (const part of [path, folder.run, folder.log]) mkdirSync(part, { recursive: true })
  return folder
}

/** Gives the secret of this name from a file with mode 0600, and makes one of 32 random bytes the first time. */
export function secret(file: string, name: string): string {
  const secrets: Record<string, string> = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
  const known = secrets[name]
  if (known) return known
  const made = randomBytes(32).toString('base64url')
  writeAtomically(file, `${JSON.stringify({ ...secrets, [name]: made }, null, 2)}\n`)
  return made
}

/** Replaces a file in one step and readable by its owner only, so that no reader ever sees half of it. */
export function writeAtomically(file: string, content: string): void {
  const draft = `${file}.${process.pid}.new`
  writeFileSync(draft, content, { mode: 0o600, flush: true })
  renameSync(draft, file)
}
