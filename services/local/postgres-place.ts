import { createHash } from 'node:crypto'
import { chownSync, existsSync, lstatSync, mkdirSync, readlinkSync, renameSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { copyBinaries, packagedBinaries } from './postgres-binaries.ts'
import { canReach, postgresUser, type UnixUser } from './postgres-user.ts'

/** Where PostgreSQL's programmes and its database lie, and who runs them. */
export interface PostgresPlace {
  binaries: string
  dataDir: string
  user: UnixUser | undefined
}

const openFolder = '/var/lib/flowforge'

/**
 * Decides where the database lies: in `dataDir` itself, whenever the user that PostgreSQL runs as can reach it.
 *
 * When root starts it below a closed folder such as /root, the database lies in /var/lib/flowforge and `dataDir` becomes a
 * link to it, said in one line; programmes that cannot be reached are copied there as well.
 */
export function placePostgres(dataDir: string, onMessage: (line: string) => void): PostgresPlace {
  const user = postgresUser(dataDir)
  const packaged = packagedBinaries()
  const binaries = canReach(packaged.folder, user) ? packaged.folder : copyBinaries(packaged, openFolder)
  return { binaries, dataDir: reachable(dataDir, user, onMessage), user }
}

/** Makes an empty folder that belongs to the user, in the same folder as the database will lie. */
export function makeStagingFolder({ dataDir, user }: PostgresPlace): string {
  const staging = `${dataDir}.${process.pid}.new`
  mkdirSync(staging, { recursive: true, mode: 0o700 })
  if (user) chownSync(staging, user.uid, user.gid)
  return staging
}

function reachable(dataDir: string, user: UnixUser | undefined, onMessage: (line: string) => void): string {
  if (isLink(dataDir)) return readlinkSync(dataDir)
  const parent = dirname(dataDir)
  mkdirSync(parent, { recursive: true })
  if (canReach(parent, user)) return dataDir
  const elsewhere = join(openFolder, createHash('sha256').update(dataDir).digest('hex').slice(0, 16))
  onMessage(`the database lies in ${elsewhere}, because ${parent} is closed to the user that PostgreSQL runs as`)
  mkdirSync(openFolder, { recursive: true, mode: 0o755 })
  if (existsSync(elsewhere)) {
    // Without a link to it, it belonged to a data folder that somebody removed since, and its password went with that.
    const kept = `${elsewhere}.removed-${Date.now()}`
    renameSync(elsewhere, kept)
    onMessage(`the database of the removed data folder is kept in ${kept}; delete it when you do not need it`)
  }
  symlinkSync(elsewhere, dataDir)
  return elsewhere
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}
